"""Reads the JSON body of a request. The gateway uses it too.

Bodies cost memory and time: a body of 4 MiB may have millions of values, which Python
parses in seconds. So their number is limited before the body is parsed. Large bodies
are parsed in a thread, one at a time, and only few of them are in memory.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
from google.protobuf.json_format import ParseError
from starlette.requests import Request

from ..errors import CourtsideError
from ..protocol.json_values import has_over
from .request_limits import MAX_BODY_BYTES

Result = TypeVar("Result")

JSON_TYPES = ("application/json", "application/a2a+json")
MAX_VALUES = 20_000  # Numbers, texts, lists and objects. Keys are not counted.
IN_THREAD_BYTES = 4 * 1024  # The slowest JSON of this size takes 4 ms.
# Bodies of over LARGE_BYTES in memory at once. The next one waits in its connection.
LARGE_BYTES = 256 * 1024
MAX_LARGE = 8

_large_bodies = anyio.CapacityLimiter(MAX_LARGE)
_parser = anyio.CapacityLimiter(1)


class BodyTooLarge(CourtsideError):
    """The body is over MAX_BODY_BYTES, or has over MAX_VALUES."""

    status, reason = 413, "BODY_TOO_LARGE"


class WrongContentType(CourtsideError):
    """The body is not declared as JSON."""

    status, reason = 415, "CONTENT_TYPE_NOT_SUPPORTED"


async def read_json(
    request: Request, convert: Callable[[dict[str, Any]], Result]
) -> Result:
    """Read a JSON object, and return the result of `convert`.

    `convert` runs in a thread if the body is large. Raises its errors, ParseError,
    BodyTooLarge and WrongContentType.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type not in JSON_TYPES:
        raise WrongContentType(
            f"the content type is {content_type or 'missing'}: "
            "send it as application/json"
        )
    data = bytearray()
    async with AsyncExitStack() as slot:
        async for chunk in request.stream():
            if len(data) <= LARGE_BYTES < len(data) + len(chunk):
                await slot.enter_async_context(_large_bodies)
            data += chunk
            if len(data) > MAX_BODY_BYTES:
                raise BodyTooLarge(f"the body is over {MAX_BODY_BYTES} bytes")
        return await run_parser(lambda: convert(_parse_object(data)), len(data))


async def run_parser(parse: Callable[[], Result], size: int) -> Result:
    """Return the result of `parse`, which runs in a thread if its input is large.

    `size` is the size of the input in bytes.
    """
    if size <= IN_THREAD_BYTES:
        return parse()
    return await anyio.to_thread.run_sync(parse, limiter=_parser)


def _parse_object(data: bytearray) -> dict[str, Any]:
    if has_over(MAX_VALUES, data):
        raise BodyTooLarge(
            f"the body has over {MAX_VALUES} JSON values: send large data as one text, "
            "or as a file (a part with raw or url)"
        )
    try:
        # json takes twice as long, and 0.4 s for 4 MiB that are not UTF-8.
        body = msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ParseError("the body must be a JSON object")
    return body
