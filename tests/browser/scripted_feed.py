"""A scripted feed in place of a host's feed, for browser tests of the real page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

Event = dict[str, Any]
EPOCH = "scripted"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def format_timestamp(ago_s: float = 0.0) -> str:
    at = datetime.now(timezone.utc) - timedelta(seconds=ago_s)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def agent(name: str, **more: Any) -> Event:
    skill = {"id": "s", "name": "Any", "description": "Any.", "examples": ["Go"]}
    return {
        **{"kind": "agent", "agent": name, "url": f"http://{name}.test"},
        **{"connection": "connected", "cause": None, "attempt": 0, "retry_s": None},
        **{"title": name.capitalize(), "description": "An agent.", "version": "1"},
        **{
            "followed": "streaming",
            "skills": [skill],
            "received_at": format_timestamp(),
            **more,
        },
    }


def task(agent: str, task_id: str, status: str = "running", **more: Any) -> Event:
    return {
        **{"kind": "task", "agent": agent, "task_id": task_id, "context_id": "c"},
        **{"status": status, "state": "", "progress": 50, "message": "Working…"},
        **{
            "message_id": "m",
            "at": format_timestamp(),
            "received_at": format_timestamp(),
            **more,
        },
    }


class ScriptedFeed:
    """A feed. Pages that connect or reconnect get all events since their cursor."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_up = True
        self._pages: list[asyncio.StreamWriter] = []

    def send(self, *events: Event) -> None:
        first = len(self.events) + 1
        fresh = [{"id": id, **each} for id, each in enumerate(events, first)]
        self.events += fresh
        for page in self._pages:
            page.write(_frames(fresh))

    def cut(self) -> None:
        """Close every connection, as a restarted proxy does."""
        for page in self._pages:
            page.close()
        self._pages.clear()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            if self.is_up:
                query = parse_qs(urlsplit(request.split()[1]).query)
                writer.write(HEAD + self._opening(query.get("after")))
                self._pages.append(writer)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _opening(self, after: list[str] | None) -> bytes:
        if after:
            return _frames(self.events[int(after[0].rpartition("-")[2]) :])
        snapshot: Event = {
            **{"id": 0, "epoch": EPOCH, "reset": False, "reason": None},
            **{"agents": [], "tasks": []},
        }
        frame = b"event: snapshot\nid: %b-0\ndata: %b\n\n"
        encoded = json.dumps(snapshot).encode()
        return frame % (EPOCH.encode(), encoded) + _frames(self.events)

    async def serve_log(self, route: Route) -> None:
        """Answer GET feed.ndjson with the events of one task or the newest events."""
        query = parse_qs(urlsplit(route.request.url).query)
        wanted = query.get("task")
        found = [
            each
            for each in self.events
            if wanted is None or each.get("task_id") in wanted
        ][-int(query["limit"][0]) :]
        await route.fulfill(body="\n".join(map(json.dumps, found)))


def _frames(events: Iterable[Event]) -> bytes:
    return b"".join(
        b"id: %b-%d\ndata: %b\n\n"
        % (EPOCH.encode(), event["id"], json.dumps(event).encode())
        for event in events
    )


@asynccontextmanager
async def use_scripted_feed(page: Page) -> AsyncIterator[ScriptedFeed]:
    """Replace the feed of `page` with a scripted one."""
    feed = ScriptedFeed()
    server = await asyncio.start_server(feed.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def redirect(route: Route) -> None:
        query = urlsplit(route.request.url).query
        await route.continue_(url=f"http://127.0.0.1:{port}/feed?{query}")

    await page.route(lambda url: urlsplit(url).path == "/feed", redirect)
    await page.route("**/feed.ndjson?*", feed.serve_log)
    await page.route("**/feed/*", lambda route: route.fulfill(json={"raw": None}))
    await page.route("**/a2a/*/tasks/*", lambda route: route.fulfill(json={}))
    try:
        yield feed
    finally:
        feed.cut()
        server.close()
