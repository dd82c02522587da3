"""Keeps the pause that an agent asks for: HTTP 429, or Retry-After with another error.

gRPC has the same in other forms, which `bindings/grpc_errors` reads.

During the pause, the host sends the agent no periodic requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

import anyio

from ..errors import AgentUnreachable
from ..model.timestamps import format_timestamp

TOO_MANY_REQUESTS = 429
FIRST_ERROR = 400
PAUSE_S = (5.0, 10.0, 20.0, 40.0, 60.0)  # Without Retry-After: longer each time,
FORGET_S = 300.0  # if the last time is not longer ago.
MIN_PAUSE_S, MAX_PAUSE_S = 1.0, 600.0
COMMAND_WAIT_S = 5.0  # A command waits so long. Then it fails.


class Throttle:
    """Belongs to one agent, and outlasts its connections.

    `now` returns seconds since 1970: Retry-After may be a date.
    """

    def __init__(self, name: str, now: Callable[[], float] = time.time) -> None:
        self._name = name
        self._now = now
        self._until = 0.0
        self._why = ""
        self._refusals = 0
        self._refused_at = 0.0

    @property
    def remaining_s(self) -> float:
        # At most MAX_PAUSE_S, also after this machine's clock was set back.
        return min(max(0.0, self._until - self._now()), MAX_PAUSE_S)

    @property
    def trouble(self) -> str | None:
        """What the agent asked for, while the pause lasts."""
        if not self.remaining_s:
            return None
        until = format_timestamp(self._until)
        return f"asks the host to wait until {until} ({self._why})"

    def check(
        self, status: int, headers: Mapping[str, str], what: str = ""
    ) -> str | None:
        """Read a response. Return what it asks for if it starts a pause.

        `what` names the response, if it is not one of HTTP.
        """
        retry_after = headers.get("retry-after")
        is_refused = status == TOO_MANY_REQUESTS
        if not is_refused and (status < FIRST_ERROR or retry_after is None):
            return None
        pause_s = None
        if retry_after is not None:
            pause_s = self._parse(retry_after, headers.get("date"))
        return self.pause(what or f"HTTP {status}", pause_s)

    def pause(self, why: str, pause_s: float | None) -> str:
        """Start a pause of `pause_s`, or of the next of PAUSE_S."""
        if self._now() - self._refused_at > FORGET_S:
            self._refusals = 0
        self._refused_at = self._now()
        if pause_s is None:
            pause_s = PAUSE_S[min(self._refusals, len(PAUSE_S) - 1)]
            self._refusals += 1
        pause_s = min(max(MIN_PAUSE_S, pause_s), MAX_PAUSE_S)
        self._until = max(self._until, self._now() + pause_s)
        self._why = why
        return f"{why}: it asks the host to wait {pause_s:.0f} s"

    async def wait(self) -> None:
        """Wait for the end of the pause."""
        while (remaining_s := self.remaining_s) > 0:  # noqa: ASYNC110 - no event
            await anyio.sleep(remaining_s)

    async def admit_command(self) -> None:
        """Wait for the end of the pause. Raises AgentUnreachable if it is long."""
        remaining_s = self.remaining_s
        if remaining_s > COMMAND_WAIT_S:
            raise AgentUnreachable(
                f"{self._name} accepts no requests for {remaining_s:.0f} s more: it "
                f"{self.trouble}. Try again then"
            )
        await self.wait()

    def _parse(self, text: str, date: str | None) -> float | None:
        """Return the seconds of Retry-After (RFC 9110), None if it is unreadable.

        `date` is the agent's own time, which may differ from the host's.
        """
        text = text.strip()
        try:
            return float(text)
        except ValueError:
            pass
        until = _parse_date(text)
        if until is None:
            return None
        return until - ((date and _parse_date(date)) or self._now())


def _parse_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
