"""Parses nonstandard A2A JSON as leniently as the SDK does and more, but slowly.

`a2a_parser` uses it for JSON that its strict structs refuse.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import sys
from typing import Any

import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.proto_utils import parse_lenient
from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import Message

from ..model.timestamps import parse_timestamp
from .json_values import check_count
from .trailing_commas import blank_trailing_commas

MAX_DEPTH = 100  # The SDK's limit.
DOUBLE_DIGITS = 309  # Of the largest number that a double can hold.
# Other threads can run after each piece of a text. The whole took 60 ms.
PIECE = 256 * 1024
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Some agents count their tasks and messages.
IDS = {"id", "taskId", "contextId", "messageId", "artifactId"}
IDS |= {"task_id", "context_id", "message_id", "artifact_id"}
FLAGS = {"append", "lastChunk", "last_chunk", "final"}
WORDS = {"true": True, "1": True, "false": False, "0": False, "": False}
WORDS |= {"none": False, "null": False}
TEXTS = {"text", "name", "description", "filename", "mediaType", "media_type", "url"}
ENUMS = {"state": pb.TaskState, "role": pb.Role}
FREE_FORM = {"metadata", "data"}  # They hold any JSON.
Json = dict[str, Any]


def decode(data: bytes) -> Json:
    """Return the JSON object in `data`. Raises ValueError if it has none.

    Replaces what protobuf and UTF-8 cannot hold: lone surrogates (a text that was cut
    within an emoji) by U+FFFD, NaN and too large numbers by null. Accepts trailing
    commas.
    """
    body = load(data)
    if not isinstance(body, dict):
        raise ValueError(f"a JSON object was expected, not {type(body).__name__}")
    valid: Json = _replace_invalid(body, MAX_DEPTH)
    return valid


def load(data: bytes) -> Any:
    """Return the JSON value in `data`, which may have trailing commas and lone
    surrogates. Raises ValueError if it has none, or over MAX_VALUES values."""
    check_count(data)
    try:
        return msgspec.json.decode(data)  # In half of the time of json.
    except (ValueError, RecursionError):
        pass
    text = _read_text(data)
    try:
        return _parse(text)
    except json.JSONDecodeError:
        repaired = blank_trailing_commas(text)
        if repaired == text:
            raise
        return _parse(repaired)


def _read_text(data: bytes) -> str:
    read = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    starts = range(0, len(data), PIECE)
    pieces = [read(data[start : start + PIECE]) for start in starts]
    return "".join((*pieces, read(b"", True)))


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_parse_int)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def _parse_int(digits: str) -> float:
    # Thousands of digits take 0.1 ms, and nothing can hold so large a number.
    return int(digits) if len(digits) <= DOUBLE_DIGITS + 1 else math.inf


def normalize(body: Json, message: Message) -> Json:
    """Return `body` as canonical ProtoJSON, as the SDK reads it into `message`.

    Changes `body`. Raises ValueError with the SDK's reason.
    """
    convert_scalars(body)
    _drop_unreadable(body)
    try:
        as_json: Json = MessageToDict(parse_lenient(body, message))
    except (Error, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from error
    return as_json


def _replace_invalid(value: Any, depth: int) -> Any:
    if not depth:
        raise ValueError("JSON nested too deeply")
    if isinstance(value, str):
        return value if value.isascii() else _replace_surrogates(value)
    if isinstance(value, dict):
        return {
            _replace_invalid(k, depth): _replace_invalid(v, depth - 1)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_replace_invalid(item, depth - 1) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return None
    return value


def _replace_surrogates(text: str) -> str:
    starts = range(0, len(text), PIECE)
    pieces = [text[start : start + PIECE] for start in starts]
    return "".join([LONE_SURROGATE.sub("\ufffd", piece) for piece in pieces])


def _drop_unreadable(body: Json) -> None:
    """Drop values for which the SDK would refuse the whole update."""
    for key, value in body.items():
        if key == "timestamp":
            body[key] = parse_timestamp(value) if isinstance(value, str) else None
        elif key in ENUMS:
            body[key] = _enum_number(value, ENUMS[key])
        elif key == "parts":
            _drop_null_data(value)
        elif key != "metadata":
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    _drop_unreadable(inner)


def convert_scalars(body: Json) -> None:
    """Read numbers as text where text belongs, and words as true and false."""
    for key, value in body.items():
        if key in FLAGS and isinstance(value, str | int):
            body[key] = WORDS.get(str(value).strip().lower(), value)
        elif key in IDS and type(value) is int:
            body[key] = str(value)
        elif key in TEXTS and isinstance(value, bool | int | float):
            body[key] = json.dumps(value)
        elif key not in FREE_FORM:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    convert_scalars(inner)


def _enum_number(value: Any, enum: Any) -> int:
    """Return the number of an enum value, 0 if it is unknown.

    Reads numbers, and names of 1.0 and 0.3: TASK_STATE_WORKING, WORKING, working.
    """
    try:
        number = NUMBERS[enum].get(_plain_name(value)) or int(value)
    except (ValueError, TypeError):
        return 0
    return number if number in enum.values() else 0


def _plain_name(name: Any) -> str:
    """Return an enum name without its prefix: TASK_STATE_INPUT_REQUIRED as
    inputrequired."""
    plain = str(name).lower().replace("_", "").replace("-", "")
    plain = plain.removeprefix("taskstate").removeprefix("role")
    return "canceled" if plain == "cancelled" else plain


def _drop_null_data(parts: Any) -> None:
    # The SDK reads `data: null` as content that overwrites the text of the part.
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("data", ...) is None:
            del part["data"]


NUMBERS = {
    enum: {_plain_name(name): number for name, number in enum.items()}
    for enum in ENUMS.values()
}
