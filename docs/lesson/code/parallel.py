"""Streams three tasks of three agents to one page: http://localhost:8006

The agents of scripts/start must be running.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from courtside import TaskManager

PORT = 8006
PAGE = Path(__file__).parent / "finished" / "page.html"


async def multi_task_stream() -> AsyncIterator[str]:
    """Start three tasks, and yield their updates as server-sent events."""
    async with TaskManager() as manager:
        manager.start_task("calendar_check")
        manager.start_task("weather_forecast")
        manager.start_task("venue_search")

        async for update in manager.stream_all():
            if update["kind"] == "task":
                yield f"data: {json.dumps(update)}\n\n"
    # If the response ended here, the browser would reconnect and start all tasks again.
    await asyncio.Event().wait()


async def stream_rows(request: Request) -> Response:
    return StreamingResponse(multi_task_stream(), media_type="text/event-stream")


async def show_page(request: Request) -> Response:
    return FileResponse(PAGE)


routes = [Route("/", show_page), Route("/tasks/stream", stream_rows)]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=PORT)
    port = parser.parse_args().port
    uvicorn.run(Starlette(routes=routes), port=port, timeout_graceful_shutdown=1)
