"""Tests of host/model/timestamps.py, also against the SDK's parser."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from host.model.timestamps import parse_timestamp


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-22T12:00:00.123Z", "2026-11-22T12:00:00.123Z"),
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000Z"),
        ("2026-11-22T12:00:00.5Z", "2026-11-22T12:00:00.500Z"),
        ("2026-11-22T12:00:00.999999999Z", "2026-11-22T12:00:00.999Z"),
        ("2026-11-22T12:00:00.99999999999999Z", "2026-11-22T12:00:00.999Z"),
        ("2026-11-22T12:00:00+00:00", "2026-11-22T12:00:00.000Z"),
        ("2026-11-22T12:00:00.999999999+00:00", "2026-11-22T12:00:00.999Z"),
        ("2026-11-22T13:30:00.9999+01:30", "2026-11-22T12:00:00.999Z"),
        ("2026-11-22T13:30:00+0130", "2026-11-22T12:00:00.000Z"),
        ("2026-11-21T20:00:00-04:00", "2026-11-22T00:00:00.000Z"),
        ("2026-11-22T12:00:00", "2026-11-22T12:00:00.000Z"),
        ("2026-11-22 12:00:00.25", "2026-11-22T12:00:00.250Z"),
        (" 2026-11-22t12:00:00z ", "2026-11-22T12:00:00.000Z"),
        ("2028-02-29T12:00:00Z", "2028-02-29T12:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_timestamp_becomes_utc_with_milliseconds(text: str, when: str) -> None:
    assert parse_timestamp(text) == when


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "now",
        "2026-11-22",
        "12:00:00Z",
        "1763812800",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-11-22T25:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-22T12:00:00" + "0" * 10_000 + "Z",
    ],
)
def test_invalid_timestamp_is_none(text: str) -> None:
    assert parse_timestamp(text) is None


zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
times = st.builds(
    lambda when, zone: when.replace(tzinfo=zone),
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),
    zones,
)


@settings(derandomize=True, deadline=None)
@given(times)
def test_timestamp_equals_the_sdks(when: datetime) -> None:
    stamp = Timestamp()
    stamp.FromJsonString(when.isoformat())

    parsed = parse_timestamp(when.isoformat())

    assert parsed
    assert parsed == parse_timestamp(parsed)
    assert parsed[:-1] == stamp.ToDatetime().isoformat(timespec="milliseconds")


@settings(derandomize=True, deadline=None)
@given(times, times)
def test_timestamps_sort_by_time(one: datetime, other: datetime) -> None:
    early, late = sorted([one, other])

    assert (parse_timestamp(early.isoformat()) or "~") <= (
        parse_timestamp(late.isoformat()) or ""
    )


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=40) | st.text("0123456789-:.TZ+ ", max_size=30))
def test_any_text_parses_to_none_or_a_stable_timestamp(text: str) -> None:
    parsed = parse_timestamp(text)

    assert parsed is None or parse_timestamp(parsed) == parsed
