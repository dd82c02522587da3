"""Tests that the SSE parser reads the standard's events, in any chunks and sizes.

The tests compare it with httpx-sse.
"""

from __future__ import annotations

import pytest
from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from hypothesis import example, given
from hypothesis import strategies as st

from host.clients.bindings.sse import MAX_EVENT, MAX_SKIPPED, MIB, Frame, SseParser
from host.clients.bindings.unreachable_errors import BadResponse

LINES = st.sampled_from(
    [
        "data: a",
        "data:b",
        "data",
        "data:  c",
        "data: {}",
        "datax: d",
        "data: é",
        "event: error",
        "event: update",
        "event",
        "id: 7",
        "retry: 5",
        ": ping",
        "",
        "",
        "",
        " data: e",
        "\ufeffdata: f",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(
    lambda lines: "".join(line + end for line, end in lines)
)


def parse(*chunks: bytes) -> list[Frame]:
    parser = SseParser()
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def parse_by_httpx_sse(text: str) -> list[Frame]:
    """Parse a whole text: httpx-sse does not parse chunks into lines."""
    lines, events = SSELineDecoder(), SSEDecoder()
    # The standard removes the byte order mark. httpx-sse leaves that to its caller.
    found = [*lines.decode(text.removeprefix("\ufeff") or "\n"), *lines.flush()]
    decoded = [events.decode(line) for line in found]
    return [
        Frame(event.data.encode(), event.event.replace("message", "").encode())
        for event in decoded
        if event and event.data
    ]


@given(STREAMS, st.lists(st.integers(1, 40), max_size=20))
@example("data: a\r\rdata: b\r\r", [8, 1])
@example("\ufeffdata: a\n\n", [1, 1])
@example("data: a\r\n\r\n", [8, 1, 1])
def test_parser_agrees_with_httpx_sse_for_any_chunks(
    text: str, cuts: list[int]
) -> None:
    data, chunks = text.encode(), []
    for cut in cuts:
        chunks.append(data[:cut])
        data = data[cut:]
    assert parse(*chunks, data) == parse_by_httpx_sse(text)


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes_are_parsed(chunks: list[bytes]) -> None:
    found = parse(*chunks)
    assert found == parse(b"".join(chunks))
    assert all(frame.data for frame in found)


def test_event_is_complete_with_its_empty_line() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\r") == []
    assert parser.feed(b"\r") == [Frame(b"a")]
    assert parser.feed(b"\ndata: b\n") == []
    assert parser.feed(b"\n") == [Frame(b"b")]


def test_too_large_event_is_skipped_and_the_next_parsed() -> None:
    parser = SseParser()
    found = parser.feed(b"data: a\n\ndata: ")
    chunk = b"x" * MIB
    for _ in range(12):
        found += parser.feed(chunk)
    found += parser.feed(b"\n\ndata: b\n\n")
    assert found == [Frame(b"a"), Frame(None), Frame(b"b")]


def test_bytes_of_a_too_large_event_are_not_kept() -> None:
    parser = SseParser()
    for _ in range(20):
        parser.feed(b"x" * MIB)
        assert sum(map(len, parser._kept)) <= MAX_EVENT


def test_event_of_the_maximum_size_is_parsed() -> None:
    data = b"x" * (MAX_EVENT - len("data: "))
    assert parse(b"data: " + data + b"\n\n") == [Frame(data)]
    assert parse(b"data: x" + data + b"\n\n") == [Frame(None)]


def test_endless_event_is_refused() -> None:
    parser = SseParser()
    with pytest.raises(BadResponse, match="an event without end"):
        for _ in range(MAX_SKIPPED // MIB + 1):
            parser.feed(b"x" * MIB)


def test_event_in_many_small_chunks_is_parsed_in_linear_time() -> None:
    parser = SseParser()
    parser.feed(b"data: ")
    for _ in range(200_000):
        parser.feed(b"x")
    assert parser.feed(b"\n\n") == [Frame(b"x" * 200_000)]
