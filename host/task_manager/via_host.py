"""Owns the way over a host that runs: commands to `/a2a/{agent}`, updates by `/feed`.

The manager speaks through it; the host's events go to the manager's ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import msgspec
from httpx_sse import SSEError, aconnect_sse
from msgspec import Struct

from ..clients import http_client
from ..config.agent_settings import check_url
from ..errors import AgentUnreachable, ConfigError, CourtsideError, UnknownAgent
from ..model.event import AgentEvent, GapEvent, TaskEvent, encode, with_id
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..protocol.a2a_objects import StreamResponse
from ..protocol.a2a_parser import parse_response, parse_task
from .errors import HostUnreachable, Refused
from .task_table import Key, Ledger, Own, Update

logger = logging.getLogger("courtside.tasks")

CONNECT_S = 5.0
OPEN_S = 5.0  # For the first contact.
PATIENCE_S = 60.0  # For a host that was there: to be started again, or woken.
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
FIND_S = 10.0  # For a host with a new log to find a task at its agent again.
QUIET_S = 40.0  # The host pings every 15 s: two missed and a margin.
ANSWER_S = 70.0  # The host itself gives an agent 60 s to take a message.
HEADERS = {"content-type": "application/json", "a2a-version": "1.0"}


class _Snapshot(Struct):
    """What the feed begins with, or begins again with where it cannot go on."""

    id: int
    reset: bool
    reason: str | None
    agents: list[AgentEvent]
    tasks: list[TaskEvent]


class OverHost:
    """A `Way` that is a reader of the host's feed. Raises ConfigError for no URL."""

    _http: httpx.AsyncClient

    def __init__(self, url: str, token: str = "") -> None:
        try:
            self._url = check_url(url)
        except ConfigError as error:
            raise ConfigError(f"host: {error}") from None
        self._key = {"authorization": f"Bearer {token}"} if token else {}
        self._cursor: str | None = None
        self._is_reached = False

    async def run(self, ledger: Ledger) -> None:
        """Reads on where it was for as long as the host is there, or comes back."""
        async with http_client.client(httpx.Timeout(CONNECT_S)) as self._http:
            self._http.headers.update(self._key)
            failures, lost_at = 0, anyio.current_time()
            while True:
                self._is_reached, cause = False, "it ended the feed"
                try:
                    await self._read(ledger)
                except (httpx.HTTPError, SSEError) as error:
                    cause = _explained(error)
                if self._is_reached:
                    failures, lost_at = 0, anyio.current_time()
                logger.info(Line(host=self._url, feed="broken", cause=cause))
                patience_s = PATIENCE_S if self._cursor else OPEN_S
                if anyio.current_time() - lost_at > patience_s:
                    raise HostUnreachable(
                        f"no Courtside host answers at {self._url}: {cause}"
                    )
                await anyio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    async def send(self, agent: str, body: Update) -> StreamResponse:
        data = await self._post(agent, "message:send", body)
        try:
            return parse_response(data)
        except ValueError as error:
            raise HostUnreachable(f"bad response of {self._url}: {error}") from error

    async def cancel(self, agent: str, task_id: str) -> str:
        path = f"tasks/{quote(task_id, safe='')}:cancel"
        data = await self._post(agent, path, {})
        try:
            return parse_task(data).status.state
        except ValueError as error:
            raise HostUnreachable(f"bad response of {self._url}: {error}") from error

    async def _read(self, ledger: Ledger) -> None:
        """One connection to its end, which is nothing but a reason to come back."""
        headers = {"last-event-id": self._cursor} if self._cursor else {}
        timeout = httpx.Timeout(CONNECT_S, read=QUIET_S)
        async with aconnect_sse(
            self._http, "GET", f"{self._url}/feed", headers=headers, timeout=timeout
        ) as source:
            await self._check(source.response)
            async for event in source.aiter_sse():
                self._is_reached = True
                if not event.data:
                    continue
                data = event.data.encode()
                if event.event == "snapshot":
                    self._begin(ledger, msgspec.json.decode(data, type=_Snapshot))
                elif event.event == "message":
                    ledger.take(data)
                # What was cut off in the middle was not received.
                self._cursor = event.id

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code in (401, 403):
            raise HostUnreachable(
                f"{self._url} needs its token: set COURTSIDE_TOKEN, or give token="
            )
        if response.status_code < 500 and response.status_code != 200:
            said = (await response.aread())[:200].decode("utf-8", "replace").strip()
            raise HostUnreachable(
                f"{self._url} is no Courtside host: GET /feed answered "
                f"{response.status_code} {said}"
            )
        response.raise_for_status()

    def _begin(self, ledger: Ledger, snapshot: _Snapshot) -> None:
        ledger.agents.clear()
        for row in snapshot.agents:
            ledger.set_agent(row)
        if snapshot.reset:
            self._repair(ledger, snapshot)
        ledger.ready()

    def _repair(self, ledger: Ledger, snapshot: _Snapshot) -> None:
        """What cannot be read any more is a gap, and then where the task stands."""
        rows = {Key(row.agent, row.task_id): row for row in snapshot.tasks}
        for own in ledger.open():
            gap = GapEvent(
                agent=own.key.agent,
                task_id=own.key.id,
                context_id=own.context_id,
                message=f"updates may be missing: {snapshot.reason}",
                received_at=now(),
            )
            ledger.take(with_id(snapshot.id, encode(gap)))
            if own.key not in rows:
                own.status = None
                loop = asyncio.get_running_loop()
                loop.call_later(FIND_S, self._give_up, ledger, own)
        over = {key for key, own in ledger.own.items() if own.is_over}
        for key, row in rows.items():
            if key not in over:
                ledger.take(with_id(snapshot.id, encode(row)))

    def _give_up(self, ledger: Ledger, own: Own) -> None:
        if own.status is None:
            ledger.fail(
                HostUnreachable(
                    f"the host at {self._url} began anew and has not found task "
                    f"{own.key.id} of {own.key.agent} again"
                )
            )

    async def _post(self, agent: str, path: str, body: Update) -> bytes:
        url = f"{self._url}/a2a/{agent}/{path}"
        timeout = httpx.Timeout(CONNECT_S, read=ANSWER_S)
        data = msgspec.json.encode(body)
        async with self._calling():
            answer = await self._http.post(
                url, content=data, headers=HEADERS, timeout=timeout
            )
        if answer.status_code != 200:
            raise _refusal(agent, answer)
        return answer.content

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[None]:
        if self._http.is_closed:
            raise HostUnreachable(f"the host at {self._url} stayed away for too long")
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise HostUnreachable(
                f"no Courtside host answers at {self._url}: {_explained(error)}"
            ) from error
        except httpx.HTTPError as error:
            # It may have come through: sent again, it would be done twice.
            raise HostUnreachable(
                f"the host at {self._url} was lost before it answered "
                f"({_explained(error)}): what was asked may have been done"
            ) from error


def _refusal(agent: str, answer: httpx.Response) -> CourtsideError:
    """The error that the host passes on, or its own."""
    try:
        told: dict[str, Any] = answer.json()["error"]
        message, info = str(told["message"]), told["details"][0]
        reason, domain = str(info["reason"]), info["domain"]
    except (ValueError, LookupError, TypeError):
        said = answer.text[:200].strip()
        return HostUnreachable(f"the host answered {answer.status_code}: {said}")
    if domain != "courtside":
        return Refused(f"{agent} refuses: {message}", reason)
    if reason == "UNKNOWN_AGENT":
        return UnknownAgent(message)
    if reason == "AGENT_UNREACHABLE":
        return AgentUnreachable(message)
    return Refused(f"the host refuses: {message}", reason)


def _explained(error: Exception) -> str:
    return str(error) or type(error).__name__
