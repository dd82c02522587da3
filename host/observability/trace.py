"""W3C Trace Context: passes the trace of a request on to the agents.

`TraceMiddleware` reads or starts the trace of a request. The bindings send
`trace_headers()`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?"
)
TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")
GATEWAY = "/a2a/"


class Trace(NamedTuple):
    """`parent` is the traceparent header (version 00), `state` the tracestate."""

    parent: str
    state: str = ""


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def trace_headers() -> dict[str, str]:
    """Return the trace headers for requests to agents.

    asyncio tasks inherit the trace: the steps of a plan, the following of a task.
    """
    trace = _current.get()
    if trace is None:
        return {}
    headers = {"traceparent": trace.parent, "tracestate": trace.state}
    return {name: value for name, value in headers.items() if value}


def parse_trace(headers: Mapping[str, str]) -> Trace | None:
    """Return the caller's trace, or None if it is missing or invalid."""
    found = TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
    if not found or (found[0].startswith("00") and found[2]):
        return None
    state = headers.get("tracestate", "")
    return Trace(f"00-{found[1]}", state if TRACESTATE.fullmatch(state) else "")


def new_trace() -> Trace:
    return Trace(f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")


class Span(Protocol):
    """One request in a trace."""

    trace: Trace

    def set_status(self, status: int) -> None: ...


class Tracer(Protocol):
    """Records requests as spans."""

    def span(
        self, name: str, caller: Trace | None, attributes: Mapping[str, str]
    ) -> AbstractContextManager[Span]:
        """Record one request. `caller` is the trace that it arrived with."""

    def close(self) -> None:
        """Send the remaining spans, or drop them. Blocks for up to a second."""


class UnrecordedSpan:
    """A span that is not recorded: the caller's trace, or a new one."""

    def __init__(self, caller: Trace | None) -> None:
        self.trace = caller or new_trace()

    def __enter__(self) -> UnrecordedSpan:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set_status(self, status: int) -> None:
        pass


class TracePropagator:
    """A Tracer that only passes the trace on to the agents."""

    def span(
        self, name: str, caller: Trace | None, attributes: Mapping[str, str]
    ) -> UnrecordedSpan:
        return UnrecordedSpan(caller)

    def close(self) -> None:
        pass


class TraceMiddleware:
    """Makes a span of each request to the gateway."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(GATEWAY):
            return await self._app(scope, receive, send)
        attributes = {
            "http.request.method": scope["method"],
            "url.path": path,
            "courtside.agent": path.removeprefix(GATEWAY).partition("/")[0],
        }
        name = f"{scope['method']} {GATEWAY}{{agent}}"
        caller = parse_trace(Headers(scope=scope))
        with self._tracer.span(name, caller, attributes) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_status(message["status"])
                await send(message)

            token = _current.set(span.trace)
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                _current.reset(token)
