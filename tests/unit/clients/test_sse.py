"""Promises of host.clients.bindings.sse: the standard's events, whatever the pieces and
sizes.

httpx-sse's decoder is the second opinion.
"""

from __future__ import annotations

import pytest
from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from hypothesis import example, given
from hypothesis import strategies as st

from host.clients.bindings.error_mapping import BadResponse
from host.clients.bindings.sse import MAX_EVENT, MAX_SKIPPED, MIB, Frame, SseParser

LINES = st.sampled_from(
    [
        *("data: a", "data:b", "data", "data:  c", "data: {}", "datax: d", "data: é"),
        *("event: error", "event: update", "event", "id: 7", "retry: 5", ": ping", ""),
        *("", "", " data: e", "\ufeffdata: f"),
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(
    lambda lines: "".join(line + end for line, end in lines)
)


def split(*pieces: bytes) -> list[Frame]:
    splitter = SseParser()
    return [frame for piece in pieces for frame in splitter.feed(piece)]


def by_httpx_sse(text: str) -> list[Frame]:
    """Its lines come from a text of one piece: pieces are ours to get right."""
    lines, events = SSELineDecoder(), SSEDecoder()
    # It leaves the byte order mark, which the standard takes off, to its caller.
    found = [*lines.decode(text.removeprefix("\ufeff") or "\n"), *lines.flush()]
    decoded = [events.decode(line) for line in found]
    return [
        Frame(event.data.encode(), event.event == "error")
        for event in decoded
        if event and event.data
    ]


@given(STREAMS, st.lists(st.integers(1, 40), max_size=20))
@example("data: a\r\rdata: b\r\r", [8, 1])
@example("\ufeffdata: a\n\n", [1, 1])
@example("data: a\r\n\r\n", [8, 1, 1])
def test_the_same_events_are_found_as_by_httpx_sse_however_they_are_cut(
    text: str, cuts: list[int]
) -> None:
    data, pieces = text.encode(), []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    assert split(*pieces, data) == by_httpx_sse(text)


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_no_bytes_can_break_it(pieces: list[bytes]) -> None:
    found = split(*pieces)
    assert found == split(b"".join(pieces))
    assert all(frame.data for frame in found)


def test_an_event_is_there_as_soon_as_its_empty_line_is() -> None:
    splitter = SseParser()
    assert splitter.feed(b"data: a\r") == []
    assert splitter.feed(b"\r") == [Frame(b"a")]
    assert splitter.feed(b"\ndata: b\n") == []
    assert splitter.feed(b"\n") == [Frame(b"b")]


def test_an_event_that_is_too_large_is_left_out_and_the_next_one_found() -> None:
    splitter = SseParser()
    found = splitter.feed(b"data: a\n\ndata: ")
    piece = b"x" * MIB
    for _ in range(12):
        found += splitter.feed(piece)
    found += splitter.feed(b"\n\ndata: b\n\n")
    assert found == [Frame(b"a"), Frame(None), Frame(b"b")]


def test_the_bytes_of_an_event_that_is_too_large_are_not_kept() -> None:
    splitter = SseParser()
    for _ in range(20):
        splitter.feed(b"x" * MIB)
        assert sum(map(len, splitter._kept)) <= MAX_EVENT


def test_an_event_of_just_the_size_that_is_allowed_is_found() -> None:
    data = b"x" * (MAX_EVENT - len("data: "))
    assert split(b"data: " + data + b"\n\n") == [Frame(data)]
    assert split(b"data: x" + data + b"\n\n") == [Frame(None)]


def test_an_event_without_end_is_refused() -> None:
    splitter = SseParser()
    with pytest.raises(BadResponse, match="an event without end"):
        for _ in range(MAX_SKIPPED // MIB + 1):
            splitter.feed(b"x" * MIB)


def test_an_event_that_drips_costs_no_more_than_its_bytes() -> None:
    splitter = SseParser()
    splitter.feed(b"data: ")
    for _ in range(200_000):
        splitter.feed(b"x")
    assert splitter.feed(b"\n\n") == [Frame(b"x" * 200_000)]
