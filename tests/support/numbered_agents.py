"""Agents that number their updates, so that a test knows which of them arrived.

`python -m tests.support.numbered_agents KIND BINDING PORT URL [GRPC_PORT]` serves one.
delivery_check.py reads the numbers from the feed.

A message "60" starts a task with updates 1 to 60, then `completed`. One of five updates
has a text, one of five is a chunk of an artifact, and the others are ticks: updates
with only a progress number, which the agent does not keep. "60 ticks" sends only ticks.

With $NUMBERED_JOURNAL the agent writes each update to that file before it sends it:
"KEY 17" for a message "60 KEY".

KIND is `resumable` (the stubs with the resumable-stream extension), `forgetful` (the
same, but it keeps ten updates) or `plain` (the SDK's default handler). The card offers
only BINDING, at URL, which may be a proxy. The agent listens on PORT, and for gRPC on
GRPC_PORT.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import grpc
from a2a.helpers.proto_helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.server.routes import create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as pb
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from agents import progress, resumable_stream
from agents.__main__ import exit_on_signals
from agents.app import build_app
from agents.limits import DEFAULT_LIMITS, Limits
from agents.process import listen
from agents.server import Server
from agents.steps import AgentSpec, Chunk, Progress, Request, Script, Skill

ADDRESS = "127.0.0.1"
PAUSE_S = 0.01
EVERY = 5
MOST = 99
"""The number of an update is the progress of the task, which ends at 100."""


class Update(NamedTuple):
    """Update `number` of a task. Without words and chunk it is a tick."""

    number: int
    words: str = ""
    chunk: str = ""


def updates_of(asked: str) -> Iterator[Update]:
    """Yield the updates for "60", "60 KEY" or "60 ticks". At most 99."""
    count, _, only = asked.partition(" ")
    for number in range(1, min(int(count), MOST) + 1):
        place = number % EVERY
        if only == "ticks" or place in (1, 2, 3):
            yield Update(number)
        elif place == 0:
            yield Update(number, words=f"update {number}")
        else:
            yield Update(number, chunk=f"{number} ")


def journal_updates(asked: str) -> Iterator[Update]:
    """Yield the updates. Write each to the journal first, which survives kill -9."""
    path, key = os.environ.get("NUMBERED_JOURNAL"), asked.partition(" ")[2]
    for update in updates_of(asked):
        if path and key:
            with open(path, "ab", buffering=0) as journal:
                journal.write(f"{key} {update.number}\n".encode())
        yield update


async def script(request: Request) -> Script:
    """Send the updates from a script of the stubs."""
    for update in journal_updates(request.text):
        if update.chunk:
            yield Chunk("numbers", update.chunk, beats=1.0)
        else:
            yield Progress(update.number, update.words)


LIMITS = {"resumable": DEFAULT_LIMITS, "forgetful": Limits(replay_updates=10)}
COUNTING = Skill("counting", "Counting", "Tells numbers.", script, ("60",), ("count",))
NUMBERED = AgentSpec("numbered", "Numbered", "Tells numbers.", (COUNTING,))


class PlainExecutor(AgentExecutor):
    """Sends the updates as the examples of the SDK do."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task_id, context_id = str(context.task_id), str(context.context_id)
        task = pb.Task(
            id=task_id,
            context_id=context_id,
            status=pb.TaskStatus(state=pb.TASK_STATE_SUBMITTED),
            history=[context.message] if context.message else [],
        )
        task.status.timestamp.GetCurrentTime()
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task_id, context_id)
        for update in journal_updates(context.get_user_input()):
            await send_update(updater, update)
            await asyncio.sleep(PAUSE_S)
        done = updater.new_agent_message([new_text_part("Done.")])
        percent = progress.build_metadata(100, [])
        await updater.update_status(pb.TASK_STATE_COMPLETED, done, metadata=percent)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


async def send_update(updater: TaskUpdater, update: Update) -> None:
    if update.chunk:
        first = update.number == EVERY - 1
        parts = [new_text_part(update.chunk)]
        await updater.add_artifact(parts, "numbers", "numbers", append=not first)
        return
    message = None
    if update.words:
        message = updater.new_agent_message([new_text_part(update.words)])
    percent = progress.build_metadata(update.number, [])
    await updater.update_status(pb.TASK_STATE_WORKING, message, metadata=percent)


def card_of(kind: str, binding: str, url: str) -> pb.AgentCard:
    extensions = []
    if limits := LIMITS.get(kind):
        extensions.append(
            resumable_stream.build_extension(limits.replay_updates, limits.replay_bytes)
        )
    interface = pb.AgentInterface(
        url=url, protocol_binding=binding, protocol_version="1.0"
    )
    skill = pb.AgentSkill(
        id="counting", name="Counting", description="Tells numbers.", tags=["count"]
    )
    return pb.AgentCard(
        name=f"Numbered, {kind}",
        description="Tells numbers.",
        version="1.0.0",
        supported_interfaces=[interface],
        capabilities=pb.AgentCapabilities(streaming=True, extensions=extensions),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[skill],
    )


def plain_app(card: pb.AgentCard, grpc_port: int | None) -> Starlette:
    handler = DefaultRequestHandler(
        agent_executor=PlainExecutor(), task_store=InMemoryTaskStore(), agent_card=card
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service = grpc.aio.server()
        add_A2AServiceServicer_to_server(GrpcHandler(handler), service)  # type: ignore[no-untyped-call]
        if grpc_port is not None:
            service.add_insecure_port(f"{ADDRESS}:{grpc_port}")
        await service.start()
        yield
        await service.stop(None)

    async def nothing_to_close() -> None:
        """The stubs need this hook."""

    routes = [*create_jsonrpc_routes(handler, "/"), *create_rest_routes(handler)]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.close = nothing_to_close
    return app


def card_route(card: pb.AgentCard) -> BaseRoute:
    async def answer(request: HttpRequest) -> JSONResponse:
        return JSONResponse(agent_card_to_dict(card))

    return Route("/.well-known/agent-card.json", answer)


def main(kind: str, binding: str, port: str, url: str, grpc_port: str = "") -> None:
    exit_on_signals()
    listener = listen(ADDRESS, int(port))
    card = card_of(kind, binding, url)
    if limits := LIMITS.get(kind):
        address = f"{ADDRESS}:{grpc_port}" if grpc_port else None
        app = build_app(
            NUMBERED, url, step_s=PAUSE_S, limits=limits, grpc_address=address
        )
    else:
        app = plain_app(card, int(grpc_port) if grpc_port else None)
    # Must come before the card of the agent itself, which offers all bindings.
    app.router.routes.insert(0, card_route(card))
    Server(app).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
