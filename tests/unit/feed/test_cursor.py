"""Tests of host/feed/cursor.py: a reader starts after its cursor, or gets a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.errors import CursorError
from host.feed.cursor import Start, parse, resolve_start
from host.log.contract import Bounds

KEPT = Bounds("k3f9", first=11, last=20)


def start(text: str, kept: Bounds = KEPT) -> Start:
    return resolve_start(parse(text), kept)


@pytest.mark.parametrize("prefix", ["", "k3f9-"])
@pytest.mark.parametrize("cursor", [10, 11, 15, 20])
def test_kept_cursor_continues_after_its_event(prefix: str, cursor: int) -> None:
    assert start(f"{prefix}{cursor}") == Start(cursor, None)


def test_cursor_0_means_all_stored_events() -> None:
    assert start("0") == Start(10, None)


def test_cursor_0_with_an_epoch_reports_trimmed_events() -> None:
    assert start("k3f9-0") == Start(20, "events up to 10 are no longer kept")


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        ("9", "no longer kept"),
        ("k3f9-1", "no longer kept"),
        ("21", "event 21 is ahead of the log's 20"),
        ("k3f9-999", "event 999 is ahead"),
        ("0ther-15", "not the one this cursor came from"),
        ("0ther-0", "not the one this cursor came from"),
    ],
)
def test_unusable_cursor_starts_at_the_head_with_a_reason(
    cursor: str, why: str
) -> None:
    begin = start(cursor)

    assert begin.cursor == KEPT.last
    assert begin.reset is not None
    assert why in begin.reset


@pytest.mark.parametrize("cursor", ["0", "k3f9-0"])
def test_cursor_0_of_an_empty_log_starts_at_0(cursor: str) -> None:
    assert start(cursor, Bounds("k3f9", 1, 0)) == Start(0, None)


@pytest.mark.parametrize("cursor", ["0", "20", "k3f9-20"])
def test_fully_trimmed_log_continues_at_its_head(cursor: str) -> None:
    assert start(cursor, Bounds("k3f9", 21, 20)) == Start(20, None)


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "-1",
        "1.5",
        "1e3",
        " 7",
        "7\n",
        "0x10",
        "k3f9-",
        "-",
        "k3f9-x",
        "K3F9-7",
        "a-b-7",
        "٣",
        "7" * 19,
        "é-7",
        "<script>",
    ],
)
def test_invalid_cursor_is_refused_with_advice(text: str) -> None:
    with pytest.raises(CursorError) as refused:
        parse(text)

    assert repr(text)[:80] in str(refused.value)
    assert "use the id of the last event you have" in str(refused.value)


def test_error_shortens_a_long_cursor() -> None:
    with pytest.raises(CursorError) as refused:
        parse("x" * 10_000)

    assert len(str(refused.value)) < 300


@settings(derandomize=True)
@given(
    st.integers(1, 50),
    st.integers(0, 50),
    st.sampled_from(["", "k3f9-", "other-"]),
    st.integers(0, 200),
)
def test_no_cursor_skips_events_silently(
    first: int, kept: int, prefix: str, cursor: int
) -> None:
    bounds = Bounds("k3f9", first, first + kept - 1)

    begin = start(f"{prefix}{cursor}", bounds)

    everything = cursor == 0 and not prefix
    if begin.reset is not None:
        assert begin.cursor == bounds.last
        assert not everything
    else:
        assert begin.cursor == (bounds.first - 1 if everything else cursor)
        assert prefix != "other-"
        assert bounds.first - 1 <= begin.cursor <= bounds.last
