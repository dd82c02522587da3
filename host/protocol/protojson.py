"""Owns the reading of A2A's JSON the way the SDK does it: slow, but whatever is odd.

a2a asks it for what its strict structs refuse; the answer is the JSON that they take.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any, TypeVar

from a2a.types import a2a_pb2 as pb
from a2a.utils.proto_utils import parse_lenient
from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import Message

from ..model.timestamps import moment

MAX_DEPTH = 100  # The SDK's own.
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
ENUMS = {"state": pb.TaskState, "role": pb.Role}
Json = dict[str, Any]
AnyMessage = TypeVar("AnyMessage", bound=Message)


def loads(data: bytes) -> Json:
    """The JSON object in `data`. Raises ValueError where there is none.

    Whatever neither protobuf nor UTF-8 can hold is replaced: lone surrogates (a text
    cut within an emoji) by U+FFFD, NaN and numbers beyond a double by null.
    """
    try:
        body = json.loads(data.decode("utf-8-sig", "replace"))
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(body, dict):
        raise ValueError(f"a JSON object was expected, not {type(body).__name__}")
    mended: Json = _mended(body, MAX_DEPTH)
    return mended


def canonical(body: Json, message: Message) -> Json:
    """`body` as the SDK reads it into the empty `message`, in ProtoJSON's own form.

    Changes `body`. Raises ValueError with the SDK's reason.
    """
    _soften(body)
    try:
        as_json: Json = MessageToDict(parse_lenient(body, message))
    except (Error, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from error
    return as_json


def _mended(value: Any, depth: int) -> Any:
    if not depth:
        raise ValueError("JSON nested too deeply")
    if isinstance(value, str):
        return value if value.isascii() else LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(k, depth): _mended(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_mended(item, depth - 1) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return None
    return value


def _soften(body: Json) -> None:
    """Takes out what would lose the whole update, and is no reason to."""
    for key, value in body.items():
        if key == "timestamp":
            body[key] = moment(value) if isinstance(value, str) else None
        elif key in ENUMS:
            body[key] = _number(value, ENUMS[key])
        elif key == "parts":
            _drop_empty_data(value)
        elif key != "metadata":
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    _soften(inner)


def _number(value: Any, enum: Any) -> int:
    """Of an enum value by name or number; 0, unspecified, where it is neither."""
    try:
        number = enum.Value(value) if value in enum.keys() else int(value)  # noqa: SIM118
    except (ValueError, TypeError):
        return 0
    return number if number in enum.values() else 0


def _drop_empty_data(parts: Any) -> None:
    # To the SDK `data: null` is content, and takes the place of the text beside it.
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("data", ...) is None:
            del part["data"]
