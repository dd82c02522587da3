"""What tests say to agents and host over HTTP, and how they read the answers.

Requests go to processes that harness.py started; answers go to the test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import anyio
import httpx
from httpx_sse import aconnect_sse

from tests.support.harness import NO_TLS, HarnessError


class Received(NamedTuple):
    """One SSE event as a reader sees it."""

    id: str
    event: str
    data: Any


async def read_events(
    url: str,
    *,
    until: Callable[[list[Received]], bool],
    headers: Mapping[str, str] | None = None,
    deadline_s: float = 30.0,
) -> list[Received]:
    """Events of an SSE stream, data parsed as JSON, until `until(seen)` is true.

    Raises HarnessError, with what was seen, at the deadline or the stream's end.
    """
    seen: list[Received] = []
    async with httpx.AsyncClient(
        trust_env=False, timeout=deadline_s, verify=NO_TLS
    ) as client:
        with anyio.move_on_after(deadline_s):
            async with aconnect_sse(
                client, "GET", url, headers=dict(headers or {})
            ) as source:
                source.response.raise_for_status()
                async for sse in source.aiter_sse():
                    if not sse.data:  # `retry:` alone, which a browser keeps quiet too
                        continue
                    seen.append(Received(sse.id, sse.event, sse.json()))
                    if until(seen):
                        return seen
            raise HarnessError(f"{url} ended after {seen}")
    raise HarnessError(f"{url} had not sent what was awaited in {deadline_s} s: {seen}")


def start_request(text: str, skill: str | None = None, **ids: str) -> dict[str, Any]:
    """The body of A2A's `message:send` that starts a task, or with taskId replies."""
    message: dict[str, Any] = {
        "messageId": str(uuid.uuid4()),
        "role": "ROLE_USER",
        "parts": [{"text": text}],
        **ids,
    }
    if skill:
        message["metadata"] = {"skillId": skill}
    return {"message": message, "configuration": {"returnImmediately": True}}
