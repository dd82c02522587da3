"""HTTP requests to agents and host: reads event streams, builds message requests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import anyio
import httpx
from httpx_sse import aconnect_sse

from tests.support.harness import NO_TLS, HarnessError


class Received(NamedTuple):
    """One SSE event, with its data parsed as JSON."""

    id: str
    event: str
    data: Any


async def read_events(
    url: str,
    *,
    until: Callable[[list[Received]], bool],
    headers: Mapping[str, str] | None = None,
    deadline_s: float = 60.0,
) -> list[Received]:
    """Read events of an SSE stream until `until(seen)` is true. Return the events.

    Raises HarnessError with the events at the deadline or the end of the stream.
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
                    if (
                        not sse.data
                    ):  # A frame with only `retry:`, which browsers ignore too.
                        continue
                    seen.append(Received(sse.id, sse.event, sse.json()))
                    if until(seen):
                        return seen
            raise HarnessError(f"{url} ended after {seen}")
    raise HarnessError(f"waited {deadline_s} s for events of {url}; got {seen}")


def start_request(text: str, skill: str | None = None, **ids: str) -> dict[str, Any]:
    """Build the body of `message:send`. With taskId it replies to a task."""
    message: dict[str, Any] = {
        "messageId": str(uuid.uuid4()),
        "role": "ROLE_USER",
        "parts": [{"text": text}],
        **ids,
    }
    if skill:
        message["metadata"] = {"skillId": skill}
    return {"message": message, "configuration": {"returnImmediately": True}}
