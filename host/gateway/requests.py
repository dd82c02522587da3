"""Owns what the gateway's requests have in common: version, parameters, patience.

Both bindings read their requests with it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, VersionNotSupportedError
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from starlette.requests import Request

from ..api.responses import HostStopping
from ..protocol.a2a import RESUMABLE

AnyMessage = TypeVar("AnyMessage", bound=Message)
Result = TypeVar("Result")

VERSION, EXTENSIONS = "a2a-version", "a2a-extensions"
FORWARDED = {
    "x-forwarded-proto": "https?",
    "x-forwarded-host": r"[\w.:\[\]-]{1,255}",
    "x-forwarded-prefix": r"/[\w./~-]{0,255}",
}


class ClientGone(Exception):
    """Nobody waits for the answer any longer."""


def check_version(request: Request) -> None:
    """Raises VersionNotSupportedError. Without a word it is 1.0 that is meant."""
    asked = request.headers.get(VERSION) or request.query_params.get("A2A-Version")
    if asked and not re.fullmatch(r"1(\.\d+){0,2}", asked):
        raise VersionNotSupportedError(
            f"A2A {asked[:20]} is not spoken here: send A2A-Version: 1.0"
        )


def extensions(request: Request) -> dict[str, str]:
    """The header that says which of the extensions asked for are there."""
    asked = ",".join(request.headers.getlist(EXTENSIONS)).split(",")
    return {EXTENSIONS: RESUMABLE} if RESUMABLE in map(str.strip, asked) else {}


def read_last_event_id(request: Request) -> int | None:
    """The number in Last-Event-ID, None without one. Raises InvalidParamsError."""
    told = request.headers.get("last-event-id")
    if not told:
        return None
    if not re.fullmatch("[0-9]{1,15}", told, re.ASCII):
        raise InvalidParamsError(
            f"Last-Event-ID {told[:40]!r} is no update's number; send the id of the "
            "last update that arrived, or no Last-Event-ID to begin with the task"
        )
    return int(told)


def parse_message(body: Any, message: AnyMessage) -> AnyMessage:
    """`message`, filled. What is not known is for a later A2A, and left out.

    Raises InvalidParamsError naming what is wrong.
    """
    try:
        ParseDict(body, message, ignore_unknown_fields=True)
    except (ParseError, TypeError, AttributeError, ValueError) as error:
        raise InvalidParamsError(f"no {message.DESCRIPTOR.name}: {error}") from error
    return message


def check_status(said: object, asked: pb.ListTasksRequest) -> None:
    """Raises InvalidParamsError for a state that A2A does not have: the SDK reads it
    as none, and would list everything."""
    if said and said != "TASK_STATE_UNSPECIFIED" and not asked.status:
        raise InvalidParamsError(
            f"status {str(said)[:40]!r} is no state of A2A: for example "
            "TASK_STATE_WORKING"
        )


def find_public_url(request: Request) -> str:
    """Where the host is for whoever asks, without a slash at the end: as a proxy in
    front of it says, else as the request does."""
    said = {
        name: value
        for name, pattern in FORWARDED.items()
        if re.fullmatch(pattern, value := request.headers.get(name, ""), re.ASCII)
    }
    url = request.base_url
    scheme = said.get("x-forwarded-proto", url.scheme)
    host = said.get("x-forwarded-host", url.netloc)
    path = said.get("x-forwarded-prefix", url.path)
    return f"{scheme}://{host}{path}".rstrip("/")


async def run_until_disconnect(
    request: Request, ending: asyncio.Event, work: Callable[[], Awaitable[Result]]
) -> Result:
    """The result of `work`, which is given up where nobody waits for it.

    Raises ClientGone, HostStopping once that is set, and what `work` does.
    """
    results: list[Result] = []
    failure: Exception | None = None

    async def until(given_up: Awaitable[Any]) -> None:
        await given_up
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(until, wait_for_disconnect(request))
        group.start_soon(until, ending.wait())
        try:
            results.append(await work())
        except Exception as error:
            failure = error
        group.cancel_scope.cancel()
    if failure:
        raise failure
    if results:
        return results[0]
    if ending.is_set():
        raise HostStopping("the host is being stopped: ask again when it is back")
    raise ClientGone


async def wait_for_disconnect(request: Request) -> None:
    """Returns when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
