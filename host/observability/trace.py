"""Owns the trace that a request belongs to: W3C Trace Context, from caller to agent.

`Traced` finds or begins it where a request comes in; the bindings send `headers()`.
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


def headers() -> dict[str, str]:
    """What an agent is sent with a request that somebody's request led to.

    Tasks that are started for it inherit it: a plan's steps, the following of a task.
    """
    trace = _current.get()
    if trace is None:
        return {}
    told = {"traceparent": trace.parent, "tracestate": trace.state}
    return {name: value for name, value in told.items() if value}


def trace_in(said: Mapping[str, str]) -> Trace | None:
    """The caller's trace; None where there is none that can be used."""
    found = TRACEPARENT.fullmatch(said.get("traceparent", "").strip())
    if not found or (found[0].startswith("00") and found[2]):
        return None
    state = said.get("tracestate", "")
    return Trace(f"00-{found[1]}", state if TRACESTATE.fullmatch(state) else "")


def new_trace() -> Trace:
    return Trace(f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")


class Span(Protocol):
    """One request in somebody's trace."""

    trace: Trace

    def answered(self, status: int) -> None: ...


class Tracer(Protocol):
    """Who tells of requests."""

    def span(
        self, name: str, caller: Trace | None, about: Mapping[str, str]
    ) -> AbstractContextManager[Span]:
        """Around one request; `caller` is the trace that it came with."""

    def close(self) -> None:
        """What was told is on its way, or given up. Blocks for a moment."""


class PassedOn:
    """A span that nobody is told of: the caller's trace as it came, or a new one."""

    def __init__(self, caller: Trace | None) -> None:
        self.trace = caller or new_trace()

    def __enter__(self) -> PassedOn:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def answered(self, status: int) -> None:
        pass


class PassOn:
    """A Tracer that only passes the trace on to the agents."""

    def span(
        self, name: str, caller: Trace | None, about: Mapping[str, str]
    ) -> PassedOn:
        return PassedOn(caller)

    def close(self) -> None:
        pass


class Traced:
    """Stands before the gateway: each request of it becomes a span."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(GATEWAY):
            return await self._app(scope, receive, send)
        about = {
            "http.request.method": scope["method"],
            "url.path": path,
            "courtside.agent": path.removeprefix(GATEWAY).partition("/")[0],
        }
        name = f"{scope['method']} {GATEWAY}{{agent}}"
        with self._tracer.span(name, trace_in(Headers(scope=scope)), about) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.answered(message["status"])
                await send(message)

            token = _current.set(span.trace)
            try:
                await self._app(scope, receive, noted)
            finally:
                _current.reset(token)
