"""Redacts the credentials that an agent repeats in its responses.

Everything that an agent sends passes through here before it is parsed, so that no
credential reaches the feed. Without credentials, nothing is searched.
"""

from __future__ import annotations

from functools import partial

import anyio
import anyio.to_thread

from ...observability.redaction import Secrets
from ...protocol import lenient_json
from ..credentials import Credentials
from .sse import Frame

SMALL = 64 * 1024  # A larger response is searched in a thread.
MAX_SEARCHED = 256 * 1024  # More events are not searched together: it takes 0.3 ms.


class EchoFilter:
    """Belongs to one agent. Uses one thread at most."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._limiter = anyio.CapacityLimiter(1)

    def redact_small(self, data: bytes) -> bytes:
        return _redact(self._credentials.secrets, data)

    async def redact(self, data: bytes) -> bytes:
        """Redact a whole response: JSON or a text."""
        secrets = self._credentials.secrets
        if not secrets or len(data) <= SMALL:
            return _redact(secrets, data)
        redact_all = partial(_redact, secrets, data)
        return await anyio.to_thread.run_sync(redact_all, limiter=self._limiter)

    async def redact_frames(self, frames: list[Frame]) -> list[Frame]:
        """Redact events that arrived together, and search them together."""
        secrets = self._credentials.secrets
        if not secrets:
            return frames
        if len(frames) == 1:
            joined = frames[0].data or b""
        else:
            joined = b"\n".join([frame.data for frame in frames if frame.data])
        if len(joined) <= MAX_SEARCHED and not _may_be_in(secrets, joined):
            return frames
        return [
            Frame(await self.redact(frame.data), frame.kind) if frame.data else frame
            for frame in frames
        ]


def _may_be_in(secrets: tuple[Secrets, ...], data: bytes) -> bool:
    return any(one.may_be_in(data) for one in secrets)


def _redact(secrets: tuple[Secrets, ...], data: bytes) -> bytes:
    for one in secrets:
        data = one.redact_data(data, lenient_json.load)
    return data
