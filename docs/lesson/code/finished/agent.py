"""A small A2A agent that searches calendars: .venv/bin/python my-agent/agent.py"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from a2a import helpers
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import a2a_pb2 as a2a
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

PORT = 8005
PAGE = Path(__file__).with_name("page.html")

CALENDAR_SEARCH = [
    (0, 1, "Starting calendar search..."),
    (25, 1, "Checking personal calendar..."),
    (50, 1, "Querying team calendars..."),
    (75, 1, "Finding optimal time slots..."),
    (100, 0, "Found 3 available slots for tomorrow!"),
]
COMPLEX_ANALYSIS = [
    (0, 2, "Beginning complex analysis..."),
    (30, 20, "Processing data..."),
    (100, 0, "Everyone can meet on Tuesdays at 18:30."),
]
PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"


class CalendarAgent(AgentExecutor):
    """Answers each request."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Handle one request. The SDK calls this method."""
        task_id, context_id = context.task_id, context.context_id
        task = helpers.new_task(task_id, context_id, a2a.TASK_STATE_SUBMITTED)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task_id, context_id)
        try:
            await self.work(context.get_user_input().lower(), updater)
        except Exception as error:
            await updater.failed(helpers.new_text_message(str(error)))

    async def work(self, request: str, updater: TaskUpdater) -> None:
        """Do the work, and send an update for each part of it."""
        steps = COMPLEX_ANALYSIS if "complex" in request else CALENDAR_SEARCH
        for percent, seconds, text in steps:
            if percent == 50 and "error" in request:
                raise ConnectionError("The team calendars do not respond. Try again.")
            if percent == 100:
                await updater.add_artifact([helpers.new_text_part(text)])
                await updater.complete()
            else:
                done = {PROGRESS: {"aggregate": {"progress": percent, "total": 100}}}
                state, message = a2a.TASK_STATE_WORKING, helpers.new_text_message(text)
                await updater.update_status(state, message, metadata=done)
                await asyncio.sleep(seconds)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Cancel a task. The SDK stops `execute` of this task, then calls this."""
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.cancel(helpers.new_text_message("Task cancelled by user request"))


STATUS = {
    a2a.TASK_STATE_SUBMITTED: "submitted",
    a2a.TASK_STATE_WORKING: "running",
    a2a.TASK_STATE_COMPLETED: "completed",
    a2a.TASK_STATE_CANCELED: "cancelled",
    a2a.TASK_STATE_FAILED: "error",
}


class TaskRows(InMemoryTaskStore):
    """Stores the tasks, and a row for each of their updates."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, str | int]] = []
        self.changed = asyncio.Event()

    async def save(self, task: a2a.Task, context: ServerCallContext) -> None:
        """Add a row. The SDK calls this after each update."""
        await super().save(task, context)
        row = build_row(task)
        if row not in self.rows:  # An artifact changes the task, but not its row.
            self.rows.append(row)
            self.changed.set()
            self.changed = asyncio.Event()

    async def read(self, last_id: str) -> AsyncIterator[dict[str, str]]:
        """Yield the rows after `last_id`, then each new row, as events with ids."""
        position = int(last_id or 0)
        if position > len(self.rows):  # The agent has restarted since then.
            position = 0
        while True:
            while position < len(self.rows):
                position += 1
                row = self.rows[position - 1]
                yield {"id": str(position), "data": json.dumps(row)}
            await self.changed.wait()


def build_row(task: a2a.Task) -> dict[str, str | int]:
    """Return task_id, status and progress, and the result or the message."""
    status = STATUS[task.status.state]
    row: dict[str, str | int] = {"task_id": task.id, "status": status, "progress": 0}
    if PROGRESS in task.metadata:
        row["progress"] = int(task.metadata[PROGRESS]["aggregate"]["progress"])
    if status == "completed":
        row["progress"] = 100
        row["result"] = helpers.get_artifact_text(task.artifacts[0])
    elif task.status.HasField("message"):
        row["message"] = helpers.get_message_text(task.status.message)
    return row


def build_app(port: int) -> Starlette:
    """Build the web app: the agent card, the A2A methods and the page."""
    url = f"http://localhost:{port}"
    card = a2a.AgentCard(
        name="My agent",
        description="Searches calendars.",
        version="1.0.0",
        supported_interfaces=[
            a2a.AgentInterface(
                url=url, protocol_binding="HTTP+JSON", protocol_version="1.0"
            )
        ],
        capabilities=a2a.AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[
            a2a.AgentSkill(
                id="calendar",
                name="Calendar",
                description="Finds slots.",
                tags=["calendar"],
            )
        ],
    )
    tasks = TaskRows()
    handler = DefaultRequestHandler(
        agent_executor=CalendarAgent(), task_store=tasks, agent_card=card
    )

    async def show_page(request: Request) -> Response:
        return FileResponse(PAGE)

    async def stream_rows(request: Request) -> Response:
        last_id = request.headers.get("last-event-id", "")
        return EventSourceResponse(tasks.read(last_id))

    routes = [
        Route("/", show_page),
        Route("/tasks/stream", stream_rows),
        *create_agent_card_routes(card),
        *create_rest_routes(handler),
    ]
    return Starlette(routes=routes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=PORT)
    port = parser.parse_args().port
    uvicorn.run(build_app(port), port=port, timeout_graceful_shutdown=1)
