"""An agent made with a2a-sdk 0.3, protocol 0.3, in all its bindings.

`.venv-0.3/bin/python agent_0_3.py PORT GRPC_PORT STEP_MS` plays what README.md says.
"""

# It runs in .venv-0.3, with types that the project's own environment does not have.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import uvicorn
from a2a.grpc.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.apps.jsonrpc import A2AStarletteApplication
from a2a.server.apps.rest.rest_adapter import RESTAdapter
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentSkill,
    Part,
    TaskState,
    TextPart,
)
from a2a.utils import new_agent_text_message, new_task
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

PORT, GRPC_PORT, STEP_MS = (int(text) for text in sys.argv[1:4])
STEP_S = STEP_MS / 1000
BINDINGS = {"jsonrpc": "JSONRPC", "rest": "HTTP+JSON", "grpc": "GRPC"}


class Elder(AgentExecutor):
    """The five parts of README.md."""

    def __init__(self) -> None:
        self._cancelled: set[str] = set()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        if text.startswith("hello") and not context.current_task:
            answer = new_agent_text_message("Hello yourself.", context.context_id)
            await event_queue.enqueue_event(answer)
            return
        task_id, context_id = str(context.task_id), str(context.context_id)
        updater = TaskUpdater(event_queue, task_id, context_id)
        if context.current_task:
            await tell(updater, TaskState.working, "Thinking…")
            await chunk(updater, f"You said {text}.", last=True)
            await tell(updater, TaskState.completed, "Done.")
            return
        assert context.message
        await event_queue.enqueue_event(new_task(context.message))
        await tell(updater, TaskState.working, "Looking…")
        await asyncio.sleep(STEP_S)
        match text.split(" ")[0]:
            case "ask":
                await tell(updater, TaskState.input_required, "Red or blue?")
            case "fail":
                await tell(updater, TaskState.failed, "It broke.")
            case "wait":
                await self._wait(updater)
            case _:
                await all_of_it(updater)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        updater = TaskUpdater(
            event_queue, str(context.task_id), str(context.context_id)
        )
        await tell(updater, TaskState.canceled, "Stopped.")
        self._cancelled.add(updater.task_id)

    async def _wait(self, updater: TaskUpdater) -> None:
        while updater.task_id not in self._cancelled:
            await asyncio.sleep(STEP_S / 5)


async def all_of_it(updater: TaskUpdater) -> None:
    await tell(updater, TaskState.working)
    await asyncio.sleep(STEP_S)
    await tell(updater, TaskState.working, "Half way…")
    await chunk(updater, "One, ", last=False)
    await asyncio.sleep(STEP_S)
    await chunk(updater, "two.", append=True, last=True)
    await asyncio.sleep(STEP_S)
    await tell(updater, TaskState.completed, "Done.")


async def tell(updater: TaskUpdater, state: TaskState, text: str = "") -> None:
    parts = [Part(root=TextPart(text=text))]
    message = updater.new_agent_message(parts) if text else None
    # 0.3's `final` ends the stream: where the task is over, and where it asks.
    asks = state is TaskState.input_required
    await updater.update_status(state, message, final=asks)


async def chunk(
    updater: TaskUpdater, text: str, *, append: bool = False, last: bool
) -> None:
    parts = [Part(root=TextPart(text=text))]
    await updater.add_artifact(
        parts, artifact_id="answer", name="answer", append=append, last_chunk=last
    )


def card_of(binding: str) -> AgentCard:
    http = f"http://127.0.0.1:{PORT}/{binding}"
    skill = AgentSkill(
        id="parts", name="Parts", description="Plays parts.", tags=["parts"]
    )
    return AgentCard(
        name="Piet",
        description="Made with a2a-sdk 0.3.26.",
        version="1.0.0",
        protocol_version="0.3.0",
        url=f"127.0.0.1:{GRPC_PORT}" if binding == "grpc" else http,
        preferred_transport=BINDINGS[binding],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[skill],
    )


def handler() -> DefaultRequestHandler:
    """An agent of its own for each binding, with tasks of its own."""
    return DefaultRequestHandler(Elder(), InMemoryTaskStore())


def routes() -> list[BaseRoute]:
    """Every binding's card under its path, and the two of HTTP as they are."""
    found: list[BaseRoute] = []
    for binding in BINDINGS:
        rpc = A2AStarletteApplication(card_of(binding), handler())
        found += rpc.routes(
            agent_card_url=f"/{binding}/.well-known/agent-card.json",
            rpc_url=f"/{binding}" if binding == "jsonrpc" else f"/{binding}/unused",
            extended_agent_card_url=f"/{binding}/extended",
        )
    rest: dict[tuple[str, str], Any] = RESTAdapter(card_of("rest"), handler()).routes()
    calls = [Route(path, call, methods=[verb]) for (path, verb), call in rest.items()]
    return [*found, Mount("/rest", routes=calls)]


async def main() -> None:
    service = grpc.aio.server()
    calls = GrpcHandler(card_of("grpc"), handler())
    add_A2AServiceServicer_to_server(calls, service)
    service.add_insecure_port(f"127.0.0.1:{GRPC_PORT}")
    await service.start()
    app = Starlette(routes=routes())
    server = uvicorn.Server(
        uvicorn.Config(app, port=PORT, log_level="warning", timeout_graceful_shutdown=1)
    )
    await server.serve()
    await service.stop(None)


if __name__ == "__main__":
    asyncio.run(main())
