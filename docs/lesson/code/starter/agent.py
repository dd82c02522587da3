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

ANSWER = "Found 3 available slots for tomorrow!"  # Step 1a


class CalendarAgent(AgentExecutor):
    """Answers each request."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Handle one request. The SDK calls this method."""
        await event_queue.enqueue_event(helpers.new_text_message(ANSWER))  # Step 1b

    # Step 1c: the work

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Cancel a task. The SDK stops `execute` of this task, then calls this."""
        raise NotImplementedError  # Step 4a


# Step 2a: a row for each update


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
    tasks = InMemoryTaskStore()  # Step 2b
    handler = DefaultRequestHandler(
        agent_executor=CalendarAgent(), task_store=tasks, agent_card=card
    )

    async def show_page(request: Request) -> Response:
        return FileResponse(PAGE)

    # Step 2c: the SSE endpoint

    routes = [
        Route("/", show_page),
        # Step 2d: the route of the SSE endpoint
        *create_agent_card_routes(card),
        *create_rest_routes(handler),
    ]
    return Starlette(routes=routes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=PORT)
    port = parser.parse_args().port
    uvicorn.run(build_app(port), port=port, timeout_graceful_shutdown=1)
