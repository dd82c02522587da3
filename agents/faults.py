"""Makes an agent misbehave on purpose, for lessons and tests: `--fault drop=3`.

__main__.py wraps the agent's app and its scripts with these faults.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from .steps import AgentSpec, Chunk, Progress, Request, Say, Script, Skill

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

CARD_PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json")
# One server-sent event, with either line ending.
FRAME = re.compile(rb".*?(?:\r\n\r\n|\n\n)", re.S)
DATA = re.compile(rb"^data:", re.M)
MAX_VALUE = 1_000_000
REFUSED = "This agent was started with --fault 401: it refuses every request."
BEARER = {"www-authenticate": "Bearer"}


class FaultError(ValueError):
    """The name or the value of a fault is wrong."""


@dataclass(frozen=True)
class Kind:
    """One fault: how to write it, what it does, and its default value."""

    usage: str
    effect: str
    default: str = ""


KINDS = {
    "stall": Kind("stall[=N]", "streams send nothing after N updates (1)", "1"),
    "drop": Kind("drop=N", "streams break after N updates"),
    "duplicate": Kind("duplicate=N", "update N of a stream is sent twice"),
    "malformed": Kind("malformed=N", "update N of a stream is cut and not valid UTF-8"),
    "401": Kind("401", "every request gets HTTP 401", "1"),
    "slow-card": Kind("slow-card=SECONDS", "the agent card is sent after this delay"),
    "flood": Kind("flood=N", "scripts send N updates a second between their steps"),
}
# The values of the active faults, by name.
Faults = Mapping[str, float]


def parse_faults(texts: Iterable[str]) -> Faults:
    """Parse NAME or NAME=VALUE. Raises FaultError."""
    faults: dict[str, float] = {}
    for text in texts:
        name, _, value = text.strip().partition("=")
        kind = KINDS.get(name)
        if kind is None:
            known = ", ".join(kind.usage for kind in KINDS.values())
            raise FaultError(f"unknown fault {name!r}; use one of: {known}")
        number = _parse_number(value or kind.default, "SECONDS" in kind.usage)
        if number is None or (value and "=" not in kind.usage):
            raise FaultError(
                f"{text!r} is not a fault; write {kind.usage} "
                "(N is a whole number from 1, SECONDS more than 0)"
            )
        faults[name] = number
    return faults


def read_variable(environ: Mapping[str, str]) -> list[str]:
    """Return the faults in COURTSIDE_FAULT, which are separated by commas."""
    texts = environ.get("COURTSIDE_FAULT", "").split(",")
    return [text for text in texts if text.strip()]


def describe_faults() -> str:
    """List all faults for --help."""
    rows = (f"  {kind.usage:<18} {kind.effect}" for kind in KINDS.values())
    return "\n".join(
        ["faults, for lessons and tests (defaults in parentheses):", *rows]
    )


def format_faults(faults: Faults) -> str:
    """Write the faults as in COURTSIDE_FAULT: `drop=3,slow-card=0.5`."""
    return ",".join(
        f"{name}={value:g}" if "=" in KINDS[name].usage else name
        for name, value in faults.items()
    )


def add_flood(
    spec: AgentSpec,
    faults: Faults,
    step_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> AgentSpec:
    """Return the agent with scripts that send updates while they pause."""
    per_s = faults.get("flood")
    if per_s is None:
        return spec

    def add(skill: Skill) -> Skill:
        async def flood(request: Request) -> Script:
            script = skill.script(request)
            try:
                step = await anext(script)
                while True:
                    pause_s = 0.0
                    if isinstance(step, Progress | Say | Chunk):
                        pause_s = step.beats * step_s
                        step = replace(step, beats=0.0)
                    answer = yield step
                    start = clock()
                    for tick in range(1, int(pause_s * per_s) + 1):
                        # A late sleep makes the next one shorter.
                        wait_s = max(0.0, start + tick / per_s - clock())
                        yield Say("", beats=wait_s / step_s)
                    step = await script.asend(answer)
            except StopAsyncIteration:
                return
            finally:
                await script.aclose()

        return replace(skill, script=flood)

    return replace(spec, skills=tuple(map(add, spec.skills)))


class FaultyApp:
    """ASGI middleware with the faults. They break streams, never the process."""

    def __init__(self, app: "ASGIApp", faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "401" in self._faults:
            # Not imported above: process.py binds the port before the slow imports.
            from .request_checks import build_error

            refuse = build_error(401, "UNAUTHENTICATED", REFUSED, BEARER)
            await refuse(scope, receive, send)
            return
        if scope["path"] in CARD_PATHS:
            await anyio.sleep(self._faults.get("slow-card", 0))
        stream = FaultyStream(self._faults, scope["path"], send)
        # A cancelled response stays incomplete, so the server closes the connection.
        with stream.cancel_scope:
            await self._app(scope, receive, stream.send)


class FaultyStream:
    """One response. Only a stream of events gets faults."""

    def __init__(self, faults: Faults, path: str, send: "Send") -> None:
        self.cancel_scope = anyio.CancelScope()
        self._faults = faults
        self._path = path
        self._send = send
        self._is_stream = False
        self._updates = 0
        self._incomplete = b""

    async def send(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self._is_stream = headers.get(b"content-type", b"").startswith(
                b"text/event-stream"
            )
        if not self._is_stream or message["type"] != "http.response.body":
            await self._send(message)
            return
        body = self._incomplete + message.get("body", b"")
        end = 0
        for frame in FRAME.finditer(body):
            end = frame.end()
            await self._send_frame(frame[0])
        self._incomplete = body[end:]
        if not message.get("more_body", False):
            await self._send_frame(self._incomplete, is_last=True)

    async def _send_frame(self, frame: bytes, is_last: bool = False) -> None:
        """Send one event, a comment, or the end of the response."""
        if self._updates == self._faults.get("stall"):
            logger.warning("event=fault fault=stall path=%s", self._path)
            await anyio.sleep_forever()
        is_update = DATA.search(frame) is not None
        self._updates += is_update
        if is_update and self._updates == self._faults.get("malformed"):
            frame = break_frame(frame)
        if is_update and self._updates == self._faults.get("duplicate"):
            frame *= 2
        await self._send(
            {"type": "http.response.body", "body": frame, "more_body": not is_last}
        )
        if is_update and self._updates == self._faults.get("drop"):
            logger.warning("event=fault fault=drop path=%s", self._path)
            self.cancel_scope.cancel()
            await anyio.sleep_forever()


def break_frame(frame: bytes) -> bytes:
    """Return half of the event's data, and a byte that is not UTF-8."""
    start = frame.index(b"data:")
    half = frame[: start + (len(frame) - start) // 2]
    return half + b"\xff" + (b"\r\n\r\n" if frame.endswith(b"\r\n") else b"\n\n")


def _parse_number(text: str, is_seconds: bool) -> float | None:
    """Return a whole number from 1, or seconds; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    if not 0 < number <= MAX_VALUE:
        return None
    if is_seconds:
        return number
    return int(number) if number == int(number) else None
