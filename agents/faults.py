"""Owns the faults that an agent can be told to have, for lessons and for tests.

__main__.py reads which are on and puts them around the agent's app and its scripts.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from agents.steps import Character, Chunk, Progress, Request, Say, Skill, Work

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

CARD_PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json")
# What a stream's updates look like, with the line ends that servers use.
FRAME = re.compile(rb".*?(?:\r\n\r\n|\n\n)", re.S)
DATA = re.compile(rb"^data:", re.M)
MOST = 1_000_000


class FaultError(ValueError):
    """A fault that was asked for and that there is not; says which there are."""


@dataclass(frozen=True)
class Kind:
    """One fault: how it is `asked` for, what it means, its value if none is given."""

    asked: str
    means: str
    otherwise: str = ""


KINDS = {
    "stall": Kind("stall[=N]", "streams fall silent after N updates (1)", "1"),
    "drop": Kind("drop=N", "streams are cut off after N updates"),
    "duplicate": Kind("duplicate=N", "update N of a stream comes twice"),
    "malformed": Kind("malformed=N", "update N of a stream comes broken"),
    "401": Kind("401", "every request is refused", "1"),
    "slow-card": Kind("slow-card=SECONDS", "the card takes so long"),
    "flood": Kind("flood=N", "scripts tell N updates a second while they pause"),
}
# The names of those that are on, with their values.
Faults = Mapping[str, float]


def read_faults(asked: Iterable[str]) -> Faults:
    """The faults named as NAME or NAME=VALUE. Raises FaultError, for a person."""
    faults: dict[str, float] = {}
    for text in asked:
        name, _, value = text.strip().partition("=")
        kind = KINDS.get(name)
        if kind is None:
            known = ", ".join(kind.asked for kind in KINDS.values())
            raise FaultError(f"there is no fault {name!r}; choose from: {known}")
        number = _number(value or kind.otherwise, seconds="SECONDS" in kind.asked)
        if number is None or (value and "=" not in kind.asked):
            raise FaultError(
                f"{text!r} is no fault; write {kind.asked} "
                "(N is a whole number from 1, SECONDS more than 0)"
            )
        faults[name] = number
    return faults


def listed_in(environ: Mapping[str, str]) -> list[str]:
    """What COURTSIDE_FAULT asks for, with commas between one and the next."""
    listed = environ.get("COURTSIDE_FAULT", "").split(",")
    return [text for text in listed if text.strip()]


def explained() -> str:
    """All of them for --help, one on a line."""
    rows = (f"  {kind.asked:<18} {kind.means}" for kind in KINDS.values())
    return "\n".join(["faults, for lessons and tests:", *rows])


def as_asked(faults: Faults) -> str:
    """As COURTSIDE_FAULT would have it: `drop=3,slow-card=0.5`."""
    return ",".join(
        f"{name}={value:g}" if "=" in KINDS[name].asked else name
        for name, value in faults.items()
    )


def flooding(
    character: Character,
    faults: Faults,
    step_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Character:
    """`character`, whose scripts tell that many updates a second while they pause."""
    per_s = faults.get("flood")
    if per_s is None:
        return character

    def flooded(skill: Skill) -> Skill:
        async def work(request: Request) -> Work:
            script = skill.work(request)
            try:
                step = await anext(script)
                while True:
                    pause_s = 0.0
                    if isinstance(step, Progress | Say | Chunk):
                        pause_s = step.beats * step_s
                        step = replace(step, beats=0.0)
                    answer = yield step
                    began = clock()
                    for tick in range(1, int(pause_s * per_s) + 1):
                        # On a timetable: what one sleep was late, the next makes up.
                        wait_s = max(0.0, began + tick / per_s - clock())
                        yield Say("", beats=wait_s / step_s)
                    step = await script.asend(answer)
            except StopAsyncIteration:
                return
            finally:
                await script.aclose()

        return replace(skill, work=work)

    return replace(character, skills=tuple(map(flooded, character.skills)))


class FaultyApp:
    """An ASGI app with its faults. They drop streams, never the process."""

    def __init__(self, app: "ASGIApp", faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "401" in self._faults:
            await _refuse(send)
            return
        if scope["path"] in CARD_PATHS:
            await anyio.sleep(self._faults.get("slow-card", 0))
        stream = FaultyStream(self._faults, scope["path"], send)
        # What is cut off here leaves its response open, so the server hangs up.
        with stream.life:
            await self._app(scope, receive, stream.send)


class FaultyStream:
    """One response: passed on as it is, unless it is a stream of events."""

    def __init__(self, faults: Faults, path: str, send: "Send") -> None:
        self.life = anyio.CancelScope()
        self._faults = faults
        self._path = path
        self._send = send
        self._is_stream = False
        self._updates = 0
        self._rest = b""

    async def send(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self._is_stream = headers.get(b"content-type", b"").startswith(
                b"text/event-stream"
            )
        if not self._is_stream or message["type"] != "http.response.body":
            await self._send(message)
            return
        body = self._rest + message.get("body", b"")
        ended = 0
        for frame in FRAME.finditer(body):
            ended = frame.end()
            await self._pass_on(frame[0])
        self._rest = body[ended:]
        if not message.get("more_body", False):
            await self._pass_on(self._rest, last=True)

    async def _pass_on(self, frame: bytes, last: bool = False) -> None:
        """One event, or the pieces that are none: comments and the end."""
        if self._updates == self._faults.get("stall"):
            logger.warning("event=fault fault=stall path=%s", self._path)
            await anyio.sleep_forever()
        is_update = DATA.search(frame) is not None
        self._updates += is_update
        if is_update and self._updates == self._faults.get("malformed"):
            frame = broken(frame)
        twice = is_update and self._updates == self._faults.get("duplicate")
        body = frame * 2 if twice else frame
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": not last}
        )
        if is_update and self._updates == self._faults.get("drop"):
            logger.warning("event=fault fault=drop path=%s", self._path)
            self.life.cancel()
            await anyio.sleep_forever()


def broken(frame: bytes) -> bytes:
    """Half of an event's data, and a byte that is no UTF-8."""
    start = frame.index(b"data:")
    half = frame[: start + (len(frame) - start) // 2]
    return half + b"\xff" + (b"\r\n\r\n" if frame.endswith(b"\r\n") else b"\n\n")


async def _refuse(send: "Send") -> None:
    """401, in A2A's REST error envelope."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "UNAUTHENTICATED",
        "domain": "courtside",
    }
    error = {
        "code": 401,
        "status": "UNAUTHENTICATED",
        "message": "This agent was started with --fault 401: it refuses everybody.",
        "details": [info],
    }
    headers = [
        (b"content-type", b"application/json"),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    body = json.dumps({"error": error}).encode()
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _number(text: str, *, seconds: bool) -> float | None:
    """The number that `text` is: a count from 1, or seconds. None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    if not 0 < number <= MOST:
        return None
    if seconds:
        return number
    return int(number) if number == int(number) else None
