"""Reads HTTP requests for both bindings, and cancels the work for lost clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, VersionNotSupportedError
from a2a.utils.proto_utils import parse_params
from google.protobuf.json_format import ParseError
from google.protobuf.message import Message
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from ..api.responses import HostStopping
from ..protocol.a2a_objects import RESUMABLE

AnyMessage = TypeVar("AnyMessage", bound=Message)
Result = TypeVar("Result")

VERSION, EXTENSIONS = "a2a-version", "a2a-extensions"
FORWARDED = {
    "x-forwarded-proto": "https?",
    "x-forwarded-host": r"[\w.:\[\]-]{1,255}",
    "x-forwarded-prefix": r"/[\w./~-]{0,255}",
}


class ClientGone(Exception):
    """The client disconnected before it had a response."""


def client_gone_response(_: Request, error: Exception) -> Response:
    return Response(status_code=499)


def check_version(request: Request) -> None:
    """Raise VersionNotSupportedError for another version. A missing one means 1.0."""
    version = request.headers.get(VERSION) or request.query_params.get("A2A-Version")
    if version and not re.fullmatch(r"1(\.[0-9]+){0,2}", version):
        raise VersionNotSupportedError(
            f"A2A {version[:20]} is not supported: send A2A-Version: 1.0"
        )


def extension_headers(request: Request) -> dict[str, str]:
    """Build the response header that names the active ones of the asked extensions."""
    asked = ",".join(request.headers.getlist(EXTENSIONS)).split(",")
    return {EXTENSIONS: RESUMABLE} if RESUMABLE in map(str.strip, asked) else {}


def parse_last_event_id(text: str) -> int | None:
    """Return the number in a Last-Event-ID, None for "". Raises InvalidParamsError."""
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,15}", text, re.ASCII):
        raise InvalidParamsError(
            f"Last-Event-ID {text[:40]!r} is not an update's number: send the id of "
            "the last update you received, or no Last-Event-ID to start with the task"
        )
    return int(text)


def parse_query(query: QueryParams, kind: type[AnyMessage]) -> AnyMessage:
    """Parse a request from its URL's query. Raises InvalidParamsError."""
    message = kind()
    try:
        parse_params(query, message)
    except (ParseError, ValueError) as error:
        raise InvalidParamsError(f"invalid query: {error}") from error
    check_status(query.get("status"), message)
    return message


def check_status(status: object, message: Message) -> None:
    """Raise InvalidParamsError for an unknown state in a ListTasks request.

    The SDK parses it as no state at all, and ListTasks would list every task.
    """
    if not isinstance(message, pb.ListTasksRequest) or message.status or not status:
        return
    if status != "TASK_STATE_UNSPECIFIED":
        raise InvalidParamsError(
            f"status {str(status)[:40]!r} is not a state of A2A: send, for example, "
            "TASK_STATE_WORKING"
        )


def find_public_url(request: Request) -> str:
    """Return the host's URL as the client sees it, without a slash at the end.

    `api.guard` has removed the X-Forwarded headers of proxies that are not trusted.
    """
    forwarded = {
        name: value
        for name, pattern in FORWARDED.items()
        if re.fullmatch(pattern, value := request.headers.get(name, ""), re.ASCII)
    }
    url = request.base_url
    scheme = forwarded.get("x-forwarded-proto", url.scheme)
    host = forwarded.get("x-forwarded-host", url.netloc)
    path = forwarded.get("x-forwarded-prefix", url.path)
    return f"{scheme}://{host}{path}".rstrip("/")


async def run_until_disconnect(
    request: Request, stopping: asyncio.Event, work: Callable[[], Awaitable[Result]]
) -> Result:
    """Return the result of `work`. Cancels it when the client or the host goes away.

    Raises ClientGone, HostStopping if `stopping` is set, and the errors of `work`.
    """
    results: list[Result] = []
    failure: Exception | None = None

    async def cancel_after(event: Awaitable[Any]) -> None:
        await event
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(cancel_after, _wait_for_disconnect(request))
        group.start_soon(cancel_after, stopping.wait())
        try:
            results.append(await work())
        except Exception as error:
            failure = error
        group.cancel_scope.cancel()
    if failure:
        raise failure
    if results:
        return results[0]
    if stopping.is_set():
        raise HostStopping("the host is stopping: try again when it is back")
    raise ClientGone


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
