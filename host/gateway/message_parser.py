"""Parses the JSON of a request into its A2A message."""

from __future__ import annotations

from typing import Any, TypeVar

from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from .requests import check_status

AnyMessage = TypeVar("AnyMessage", bound=Message)

MAX_PARTS = 1_000
# protobuf can parse a message that it cannot copy: each object takes it three levels,
# and it copies 100.
MAX_DEPTH = 32
# Protobuf searches each text for surrogates: 0.1 ms per KiB without releasing the GIL.
# The text of a part needs no search. Others may have at most MAX_TEXT_CHARS.
LONG_CHARS = 4 * 1024
MAX_TEXT_CHARS = 256 * 1024


def parse_message(body: Any, kind: type[AnyMessage]) -> AnyMessage:
    """Parse a request from its JSON. Ignores unknown fields: a later A2A may have them.

    Raises InvalidParamsError.
    """
    message = kind()
    name = message.DESCRIPTOR.name
    if not isinstance(body, dict):
        raise InvalidParamsError(f"invalid {name}: it must be a JSON object")
    parts = _find_parts(body)
    texts = _find_long_texts(parts)
    _check_values(_replace_parts(body, list(map(_remove_content, parts))))
    body = _replace_parts(
        body, [{**p, "text": ""} if i in texts else p for i, p in enumerate(parts)]
    )
    try:
        ParseDict(body, message, ignore_unknown_fields=True)
        if isinstance(message, pb.SendMessageRequest):
            for index, text in texts.items():
                message.message.parts[index].text = text
    except (ParseError, TypeError, AttributeError, ValueError) as error:
        raise InvalidParamsError(f"invalid {name}: {error}") from error
    check_status(body.get("status"), message)
    return message


def _find_parts(body: dict[str, Any]) -> list[Any]:
    """Return the parts of the request's message. Raises InvalidParamsError for many."""
    message = body.get("message")
    parts = message.get("parts") if isinstance(message, dict) else None
    if not isinstance(parts, list):
        return []
    if len(parts) > MAX_PARTS:
        raise InvalidParamsError(
            f"the message has {len(parts)} parts, and at most {MAX_PARTS} are allowed: "
            "put several texts into one part, or send several messages"
        )
    return parts


def _find_long_texts(parts: list[Any]) -> dict[int, str]:
    """Return the long texts by the index of their part."""
    texts = {}
    for index, part in enumerate(parts):
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str) and len(text) > LONG_CHARS:
            texts[index] = text
    return texts


def _replace_parts(body: dict[str, Any], parts: list[Any]) -> dict[str, Any]:
    return {**body, "message": {**body["message"], "parts": parts}} if parts else body


def _check_values(body: dict[str, Any]) -> None:
    """Raise InvalidParamsError for a long text, also of a key, and for deep values."""
    waiting: list[tuple[object, int]] = [(body, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise InvalidParamsError(
                f"the request is nested over {MAX_DEPTH} levels: send deep data as "
                "text, or as raw"
            )
        if isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, dict):
            waiting += [(key, depth) for key in value]
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, str) and len(value) > MAX_TEXT_CHARS:
            raise InvalidParamsError(
                f"a text of {len(value)} characters begins with {value[:40]!r}, and at "
                f"most {MAX_TEXT_CHARS} are allowed there: send it as the text of a "
                "part, or as raw"
            )


def _remove_content(part: Any) -> Any:
    """Return a part without its text and file, which may be long."""
    if not isinstance(part, dict):
        return part
    return {key: value for key, value in part.items() if key not in ("text", "raw")}
