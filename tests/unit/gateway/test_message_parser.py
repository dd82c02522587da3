"""Tests which messages are parsed, and which are too large in some way.

Covers host/gateway/message_parser.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from host.gateway.message_parser import (
    LONG_CHARS,
    MAX_DEPTH,
    MAX_PARTS,
    MAX_TEXT_CHARS,
    parse_message,
)

TEXTS = st.text(max_size=20) | st.text(min_size=3).map(
    lambda text: text * (LONG_CHARS // 3 + 1)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = st.lists(
    st.fixed_dictionaries({"text": TEXTS}, optional={"filename": st.text(max_size=5)})
    | st.fixed_dictionaries({"data": VALUES})
    | st.just({"raw": "QUJD" * 2_000, "mediaType": "text/plain"}),
    max_size=4,
)


def body(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": list(parts)}
    return {"message": {**message, **fields}}


@given(PARTS)
def test_message_is_parsed_as_protobuf_does(parts: list[dict[str, Any]]) -> None:
    expected = ParseDict(body(*parts), pb.SendMessageRequest())

    assert parse_message(body(*parts), pb.SendMessageRequest) == expected


def test_body_is_not_changed() -> None:
    request = body({"text": "x" * 10_000})

    parse_message(request, pb.SendMessageRequest)

    assert request == body({"text": "x" * 10_000})


def test_long_text_and_long_file_are_parsed() -> None:
    text, raw = "né\0\n" * 500_000, "QUJD" * 500_000

    message = parse_message(body({"text": text}, {"raw": raw}), pb.SendMessageRequest)

    assert message.message.parts[0].text == text
    assert message.message.parts[1].raw == b"ABC" * 500_000


def test_many_parts_are_refused_with_the_limit() -> None:
    parse_message(body(*[{"text": "x"}] * MAX_PARTS), pb.SendMessageRequest)

    with pytest.raises(
        InvalidParamsError, match=f"1001 parts, and at most {MAX_PARTS}"
    ):
        parse_message(body(*[{"text": "x"}] * (MAX_PARTS + 1)), pb.SendMessageRequest)


@pytest.mark.parametrize(
    "request_body",
    [
        body({"data": {"raw": "x" * (MAX_TEXT_CHARS + 1)}}),
        body({"data": [{"x" * (MAX_TEXT_CHARS + 1): 1}]}),
        body({"text": "x", "metadata": {"text": "x" * (MAX_TEXT_CHARS + 1)}}),
        body({"text": "x"}, contextId="x" * (MAX_TEXT_CHARS + 1)),
        {"metadata": {"key": "x" * (MAX_TEXT_CHARS + 1)}},
    ],
)
def test_long_text_elsewhere_is_refused_with_the_limit(
    request_body: dict[str, Any],
) -> None:
    with pytest.raises(InvalidParamsError, match=f"at most {MAX_TEXT_CHARS}"):
        parse_message(request_body, pb.SendMessageRequest)


@pytest.mark.parametrize("place", ["metadata of the message", "metadata", "data"])
@pytest.mark.parametrize("kind", ["lists", "objects"])
def test_deep_request_is_refused_with_the_limit(place: str, kind: str) -> None:
    """One at the limit can be copied: protobuf copies 100 levels."""

    def nested(depth: int) -> dict[str, Any]:
        value: Any = 1
        above = {"metadata": 1, "metadata of the message": 2, "data": 4}[place]
        for _ in range(depth - above - 2):
            value = [value] if kind == "lists" else {"a": value}
        value = {"a": value}
        if place == "data":
            return body({"data": value})
        if place == "metadata":
            return {"metadata": value}
        return body({"text": "x"}, metadata=value)

    request = parse_message(nested(MAX_DEPTH), pb.SendMessageRequest)
    pb.Task(history=[request.message], metadata=request.metadata)

    with pytest.raises(InvalidParamsError, match=f"over {MAX_DEPTH} levels"):
        parse_message(nested(MAX_DEPTH + 1), pb.SendMessageRequest)


@pytest.mark.parametrize("size", [1, LONG_CHARS + 1])
def test_text_with_half_a_surrogate_pair_is_refused(size: int) -> None:
    with pytest.raises(InvalidParamsError, match="invalid SendMessageRequest"):
        parse_message(body({"text": "x" * size + "\ud800"}), pb.SendMessageRequest)


@pytest.mark.parametrize(
    "request_body",
    [
        {"message": {"parts": {}}},
        {"message": {"parts": [1]}},
        {"message": {"parts": [["text"]]}},
        {"message": {"parts": [{"text": 7}]}},
        body({"text": "x" * 10_000, "data": 1}),
        7,
    ],
)
def test_message_of_another_shape_is_refused(request_body: Any) -> None:
    with pytest.raises(InvalidParamsError, match="invalid SendMessageRequest"):
        parse_message(request_body, pb.SendMessageRequest)
