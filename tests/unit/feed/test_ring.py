"""Tests of host/feed/ring.py: it returns events after a cursor and stays bounded."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from host.feed import ring
from host.feed.ring import BLOCK_BYTES, RING_BYTES, Ring
from host.model.filter import ALL, Filter, Place

CARLY, WALTER = (Place(agent, None, None, "agent") for agent in ("carly", "walter"))
ONLY_CARLY = Filter(agent=frozenset({"carly"}))
SMALL_BLOCK, SMALL_RING = 40, 200

frames = st.lists(
    st.tuples(
        st.sampled_from([CARLY, WALTER]), st.sampled_from([b"a", b"b" * 13, b"c" * 90])
    ),
    max_size=60,
)


def kept_bytes(full: Ring) -> int:
    return len(everything(full, full.first - 1, ALL))


def everything(full: Ring, cursor: int, where: Filter) -> bytes:
    """Read all frames after a cursor, piece by piece."""
    found = b""
    while cursor < full.head:
        piece = full.after(cursor, where)
        assert piece is not None
        assert cursor < piece.cursor <= full.head
        found, cursor = found + piece.data, piece.cursor
    return found


@given(
    head=st.integers(0, 5), appended=frames, where=st.sampled_from([ALL, ONLY_CARLY])
)
def test_cursor_gets_all_later_events_or_none_if_too_old(
    head: int, appended: list[tuple[Place, bytes]], where: Filter
) -> None:
    with mock.patch.object(ring, "BLOCK_BYTES", SMALL_BLOCK):
        small = Ring(head, SMALL_RING)
        for place, frame in appended:
            small.append(place, frame)
        assert small.head == head + len(appended)
        for cursor in range(head, small.head + 1):
            if cursor + 1 < small.first:
                assert small.after(cursor, where) is None
                continue
            rest = appended[cursor - head :]
            wanted = b"".join(frame for place, frame in rest if where.matches(place))
            assert everything(small, cursor, where) == wanted


@given(appended=frames)
def test_ring_fills_its_byte_limit_but_never_exceeds_it(
    appended: list[tuple[Place, bytes]],
) -> None:
    with mock.patch.object(ring, "BLOCK_BYTES", SMALL_BLOCK):
        small = Ring(0, SMALL_RING)
        for place, frame in appended:
            small.append(place, frame)
            assert kept_bytes(small) <= SMALL_RING
        if small.first > 1:
            largest = max(len(frame) for _, frame in appended)
            assert kept_bytes(small) > SMALL_RING - SMALL_BLOCK - 2 * largest


def test_large_events_after_small_ones_stay_within_the_limit() -> None:
    full = Ring(0)
    while full.first == 1:
        full.append(CARLY, b"x" * 1_000)
    megabyte = b"x" * 1_000_000
    for _ in range(2 * RING_BYTES // len(megabyte)):
        full.append(CARLY, megabyte)
    assert kept_bytes(full) <= RING_BYTES


def test_event_larger_than_the_ring_is_kept_alone() -> None:
    full = Ring(0, SMALL_RING)
    huge = b"x" * (SMALL_RING + BLOCK_BYTES)
    full.append(CARLY, b"small")
    full.append(CARLY, huge)
    assert (full.first, full.head) == (2, 2)
    assert everything(full, 1, ALL) == huge
    full.append(CARLY, b"small")
    assert kept_bytes(full) == len(b"small")


def test_late_readers_share_the_bytes_of_a_full_block() -> None:
    full = Ring(0)
    for _ in range(2 * BLOCK_BYTES // 1_000):
        full.append(CARLY, b"x" * 1_000)
    first, second = full.after(0), full.after(0)
    assert first is not None and second is not None
    assert first.data is second.data
    assert len(first.data) <= BLOCK_BYTES
