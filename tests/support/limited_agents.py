"""Agents of the plain SDK that lack some A2A methods.

`python -m tests.support.limited_agents PORT` serves all `KINDS`, each under its own
path, for test_host_limited_agents.py and test_host_discovery.py.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import uvicorn
from a2a.helpers.proto_helpers import new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCard, Role, Task, TaskState, TaskStatus
from google.protobuf.json_format import ParseDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.support.harness import Server, free_port
from tests.support.raw_agent import card

LIST, SUBSCRIBE = "ListTasks", "SubscribeToTask"
STREAM = "SendStreamingMessage"
KINDS: dict[str, tuple[str, ...]] = {
    "whole": (),
    "nolist": (LIST,),
    "nosubscribe": (SUBSCRIBE,),
    "unary": (STREAM, SUBSCRIBE),
    "least": (LIST, STREAM, SUBSCRIBE),
    "wordy": (LIST, SUBSCRIBE),
}
"""The methods that each agent lacks."""
WORDS = ("one", "two", "three", "four")
STEP_S = 0.05
RESULT = "five"


class Plain(AgentExecutor):
    """Sends `WORDS` in 200 ms.

    A task with the text `wait` then runs until it is cancelled. The agent replies to
    `talk` without a task.
    """

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        asked = context.get_user_input()
        if asked == "talk":
            answer = new_text_message("Hello.", role=Role.ROLE_AGENT)
            await event_queue.enqueue_event(answer)
            return
        task_id, context_id = str(context.task_id), str(context.context_id)
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        status.timestamp.FromDatetime(datetime.now(timezone.utc))
        await event_queue.enqueue_event(
            Task(
                id=task_id,
                context_id=context_id,
                status=status,
                history=[context.message] if context.message else [],
            )
        )
        updater = TaskUpdater(event_queue, task_id, context_id)
        for word in WORDS:
            said = updater.new_agent_message([new_text_part(word)])
            await updater.update_status(TaskState.TASK_STATE_WORKING, said)
            await asyncio.sleep(STEP_S)
        if asked == "wait":
            await asyncio.Event().wait()
        await updater.add_artifact([new_text_part(RESULT)], name="result")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        ids = str(context.task_id), str(context.context_id)
        await TaskUpdater(event_queue, *ids).cancel()


def app(name: str, url: str, without: tuple[str, ...]) -> Starlette:
    """Create an agent that answers -32601 to the methods in `without`."""
    agent_card = ParseDict(
        card(name, url, streaming=STREAM not in without), AgentCard()
    )
    handler = DefaultRequestHandler(
        agent_executor=Plain(), task_store=InMemoryTaskStore(), agent_card=agent_card
    )
    dispatcher = JsonRpcDispatcher(request_handler=handler)

    async def call(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        if asked["method"] in without:
            error = {"code": -32601, "message": "Method not found"}
            return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        return await dispatcher.handle_requests(request)

    routes = [*create_agent_card_routes(agent_card), Route("/", call, methods=["POST"])]
    return Starlette(routes=routes)


@contextmanager
def serve_limited_agents(folder: Path) -> Iterator[dict[str, str]]:
    """Serve all agents in one process. Yields their URLs by name."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = Server(
        "limited_agents",
        [sys.executable, "-m", "tests.support.limited_agents", str(port)],
        folder=folder,
        url=url,
        ready_path="/whole/.well-known/agent-card.json",
    )
    server.start()
    try:
        server.wait_ready(server.ready_url)
        yield {name: f"{url}/{name}" for name in KINDS}
    finally:
        server.kill()


if __name__ == "__main__":
    port = int(sys.argv[1])
    mounts = [
        Mount(f"/{name}", app(name, f"http://127.0.0.1:{port}/{name}/", without))
        for name, without in KINDS.items()
    ]
    uvicorn.run(Starlette(routes=mounts), port=port, log_level="warning")
