"""Talks to agents through a running host: by its gateway and its feed."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import quote

import anyio
import httpx
import msgspec
from httpx_sse import SSEError, aconnect_sse

from ..api.responses import Error
from ..clients import http_client
from ..config.agent_settings import check_url
from ..errors import AgentUnreachable, ConfigError, CourtsideError, UnknownAgent
from ..model.event import GapEvent, Snapshot, TaskEvent, decode, encode, with_id
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..protocol.a2a_objects import StreamResponse
from ..protocol.a2a_parser import parse_response, parse_task
from .errors import HostUnreachable, Refused
from .task_table import Key, StartedTask, TaskTable, Update

logger = logging.getLogger("courtside.tasks")

CONNECT_TIMEOUT_S = 5.0
FIRST_CONTACT_S = 5.0
RECONNECT_S = 60.0  # For a host to restart, or a laptop to wake up.
BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
FIND_TASK_S = 10.0  # For a host with a new log to find a task at its agent.
READ_TIMEOUT_S = 40.0  # The host pings every 15 s: two missed pings and a margin.
RESPONSE_TIMEOUT_S = 70.0  # The host gives an agent 60 s to accept a message.
HEADERS = {"content-type": "application/json", "a2a-version": "1.0"}


class HostTransport:
    """A Transport that reads the host's feed. Raises ConfigError for an invalid URL."""

    _http: httpx.AsyncClient

    def __init__(self, url: str, token: str = "") -> None:
        try:
            self._url = check_url(url)
        except ConfigError as error:
            raise ConfigError(f"host= {error}") from None
        self._auth = {"authorization": f"Bearer {token}"} if token else {}
        self._cursor: str | None = None
        self._has_received = False

    async def run(self, table: TaskTable) -> None:
        """Read the feed; reconnect with the cursor when the connection breaks."""
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S)
        async with http_client.client(timeout) as self._http:
            self._http.headers.update(self._auth)
            failures, lost_at = 0, anyio.current_time()
            while True:
                self._has_received, cause = False, "the host closed the feed"
                try:
                    await self._read_feed(table)
                except (httpx.HTTPError, SSEError) as error:
                    cause = _describe(error)
                if self._has_received:
                    failures, lost_at = 0, anyio.current_time()
                logger.info(Line(host=self._url, feed="broken", cause=cause))
                timeout_s = RECONNECT_S if self._cursor else FIRST_CONTACT_S
                if anyio.current_time() - lost_at > timeout_s:
                    raise self._no_host(cause)
                await anyio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    async def send(self, agent: str, body: Update) -> StreamResponse:
        data = await self._post(agent, "message:send", body)
        try:
            return parse_response(data)
        except ValueError as error:
            raise self._bad_response(error) from error

    async def cancel(self, agent: str, task_id: str) -> str:
        path = f"tasks/{quote(task_id, safe='')}:cancel"
        data = await self._post(agent, path, {})
        try:
            return parse_task(data).status.state
        except ValueError as error:
            raise self._bad_response(error) from error

    async def _read_feed(self, table: TaskTable) -> None:
        """Read one connection until it ends."""
        headers = {"last-event-id": self._cursor} if self._cursor else {}
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        async with aconnect_sse(
            self._http, "GET", f"{self._url}/feed", headers=headers, timeout=timeout
        ) as source:
            await self._check_status(source.response)
            async for event in source.aiter_sse():
                self._has_received = True
                if not event.data:
                    continue
                data = event.data.encode()
                if event.event == "snapshot":
                    snapshot = msgspec.json.decode(data, type=Snapshot)
                    await self._apply_snapshot(table, snapshot)
                elif event.event == "message":
                    table.add_event(data)
                # Only now: an event that was cut off was not received.
                self._cursor = event.id

    async def _check_status(self, response: httpx.Response) -> None:
        if response.status_code in (401, 403):
            raise HostUnreachable(
                f"{self._url} requires a token: set COURTSIDE_TOKEN, or pass token="
            )
        if response.status_code < 500 and response.status_code != 200:
            body = (await response.aread())[:200].decode("utf-8", "replace").strip()
            raise HostUnreachable(
                f"{self._url} is not a Courtside host: GET /feed returned "
                f"{response.status_code} {body}"
            )
        response.raise_for_status()

    async def _apply_snapshot(self, table: TaskTable, snapshot: Snapshot) -> None:
        rows = await self._read_rows(table, snapshot) if snapshot.reset else {}
        table.agents.clear()
        for row in snapshot.agents:
            table.set_agent(row)
        if snapshot.reset:
            self._add_gaps(table, snapshot, rows)
        table.set_ready()

    async def _read_rows(
        self, table: TaskTable, snapshot: Snapshot
    ) -> dict[Key, TaskEvent]:
        """Return the snapshot's rows, those of our open tasks without cut texts."""
        rows = {Key(row.agent, row.task_id): row for row in snapshot.tasks}
        for key in [task.key for task in table.open_tasks()]:
            row = rows.get(key)
            is_left_out = row is None and snapshot.tasks_left_out
            if is_left_out or (row and row.shortened):
                query = {"agent": key.agent, "task": key.id, "kind": "task"}
                query |= {"before": str(snapshot.id + 1), "limit": "1"}
                url = f"{self._url}/feed.ndjson"
                response = await self._http.get(url, params=query)
                response.raise_for_status()
                event = decode(response.content) if response.content else None
                if isinstance(event, TaskEvent):
                    rows[key] = event
        return rows

    def _add_gaps(
        self, table: TaskTable, snapshot: Snapshot, rows: dict[Key, TaskEvent]
    ) -> None:
        """The host cannot replay: give each open task a gap, then its current row."""
        for task in table.open_tasks():
            gap = GapEvent(
                agent=task.key.agent,
                task_id=task.key.id,
                context_id=task.context_id,
                message=f"updates may be missing: {snapshot.reason}",
                received_at=now(),
            )
            table.add_event(with_id(snapshot.id, encode(gap)))
            if task.key not in rows:
                task.status = None
                loop = asyncio.get_running_loop()
                loop.call_later(FIND_TASK_S, self._fail_without, table, task)
        ended = {key for key, task in table.tasks.items() if task.has_ended}
        for key, row in rows.items():
            if key not in ended:
                table.add_event(with_id(snapshot.id, encode(row)))

    def _fail_without(self, table: TaskTable, task: StartedTask) -> None:
        if task.status is None:
            table.fail(
                HostUnreachable(
                    f"the host at {self._url} has a new log and has not found task "
                    f"{task.key.id} of {task.key.agent} again"
                )
            )

    async def _post(self, agent: str, path: str, body: Update) -> bytes:
        if self._http.is_closed:
            raise HostUnreachable(
                f"the host at {self._url} was unreachable for too long"
            )
        try:
            response = await self._http.post(
                f"{self._url}/a2a/{agent}/{path}",
                content=msgspec.json.encode(body),
                headers=HEADERS,
                timeout=httpx.Timeout(CONNECT_TIMEOUT_S, read=RESPONSE_TIMEOUT_S),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._no_host(_describe(error)) from error
        except httpx.HTTPError as error:
            # No retry: the host may have received it.
            raise HostUnreachable(
                f"the connection to {self._url} broke before the response "
                f"({_describe(error)}): the host may have processed the request"
            ) from error
        if response.status_code != 200:
            raise _error_of(agent, response)
        return response.content

    def _no_host(self, cause: str) -> HostUnreachable:
        return HostUnreachable(f"no Courtside host responds at {self._url}: {cause}")

    def _bad_response(self, error: ValueError) -> HostUnreachable:
        return HostUnreachable(f"bad response from {self._url}: {error}")


def _error_of(agent: str, response: httpx.Response) -> CourtsideError:
    try:
        error = msgspec.json.decode(response.content, type=Error).error
        reason, domain = (str(error.details[0][name]) for name in ("reason", "domain"))
    except (ValueError, LookupError):
        body = response.text[:200].strip()
        return HostUnreachable(f"the host returned {response.status_code}: {body}")
    if domain != "courtside":
        return Refused(f"{agent} refuses: {error.message}", reason)
    if reason == "UNKNOWN_AGENT":
        return UnknownAgent(error.message)
    if reason == "AGENT_UNREACHABLE":
        return AgentUnreachable(error.message)
    return Refused(f"the host refuses: {error.message}", reason)


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
