"""Fuzz tests: any input from an agent is read, or refused with a documented error.

The input is a card, or the bytes of a stream, which become events of the feed.
"""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest
from a2a.utils.errors import A2AError
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from host.api.openapi.feed_schema import schema
from host.clients.bindings.json_errors import from_http, from_jsonrpc
from host.clients.bindings.jsonrpc import extract_result
from host.clients.bindings.response_parsers import (
    read_send_response,
    read_task,
    read_update,
)
from host.clients.bindings.sse import Frame, SseParser
from host.clients.card import list_interfaces
from host.feed.search import Search
from host.gateway.card import build_card
from host.log.contract import Row, place_of
from host.model.board import Board
from host.model.event import decode, encode, with_id
from host.model.sse import feed_frame
from host.protocol import v03_to_v10
from host.protocol.agent_card import parse_card
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate
from tests.fuzz import hostile
from tests.fuzz.many import fuzz

NOW = "2026-11-23T12:00:00.000Z"
VALID = Draft202012Validator(schema())
pieces = st.lists(
    st.binary(max_size=20)
    | st.sampled_from(
        [
            b"data: ",
            b"data",
            b":",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"event: error",
            b"\xef\xbb\xbf",
            b"\xef",
            b"\xbb",
            b"id: 1",
            b"data: {}\n\n",
            b"\x00",
        ]
    ),
    max_size=20,
)


@fuzz(pieces)
def test_chunk_boundaries_do_not_change_events(
    pieces: list[bytes],
) -> None:
    splitter = SseParser()
    found = [frame for piece in pieces for frame in splitter.feed(piece)]

    assert found == SseParser().feed(b"".join(pieces))


@pytest.mark.parametrize(
    "read", [read_update, read_send_response, read_task, extract_result]
)
@pytest.mark.parametrize("data", hostile.DEEP)
def test_deep_or_huge_json_is_refused(read, data) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ValueError, A2AError)):
        read(data)


@fuzz(hostile.updates | hostile.any_json)
def test_any_update_is_read_or_refused(data: bytes) -> None:
    for read in (read_update, read_send_response, read_task, extract_result):
        try:
            read(data)
        except (ValueError, A2AError):
            continue


@fuzz(st.lists(hostile.updates, max_size=4), st.none() | st.just("the stream broke"))
def test_any_readable_update_becomes_valid_events(
    sent: list[bytes], why: str | None
) -> None:
    """Each is one line, matches the schema, and survives the log and the board."""
    record, board = TaskRecord("carly", "t1"), Board()
    for data in sent:
        try:
            update = read_update(data)
        except ValueError:
            continue
        events = translate(record, update.response, NOW, why)
        record.add(events)
        for event in events:
            body = encode(event)
            assert decode(body) == event
            assert b"\n" not in body
            assert SseParser().feed(feed_frame("e", 1, body))[0] == Frame(
                with_id(1, body)
            )
            VALID.validate(json.loads(with_id(1, body)))
            Search(text="x", since=NOW).matches(Row(1, place_of(event), body, 1))
            board.fold(event)
    restored = Board()
    restored.restore(board.checkpoint())
    assert restored.checkpoint() == board.checkpoint()


@fuzz(hostile.any_json)
def test_invalid_checkpoint_raises_decode_error(data: bytes) -> None:
    with suppress(msgspec.DecodeError):
        Board().restore(data)


@fuzz(hostile.json_values)
def test_any_error_response_becomes_an_error(error: object) -> None:
    assert isinstance(from_jsonrpc(error), A2AError)
    for body in (error, {"error": error}):
        assert isinstance(from_http(400, json.dumps(body).encode()), Exception)


@fuzz(hostile.corrupted(hostile.UPDATES))
def test_any_0_3_result_is_converted_to_1_0_or_refused(
    result: dict[str, object],
) -> None:
    inner = (value for value in result.values() if isinstance(value, dict))
    for body in (result, *inner):
        for read in (v03_to_v10.convert_result, v03_to_v10.convert_task):
            try:
                read(body)
            except ValueError:
                continue


@fuzz(hostile.cards | hostile.any_json)
def test_any_card_is_read_and_served_or_refused(data: bytes) -> None:
    try:
        card = parse_card(data)
    except ValueError:
        return
    list_interfaces(card)
    json.loads(build_card(card, "http://127.0.0.1:8000/a2a/carly", locked=True))
