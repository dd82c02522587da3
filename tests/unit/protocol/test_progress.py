"""Tests reading the progress of a task from its metadata.

host/protocol/progress.py, with valid and invalid metadata.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host.protocol.progress import URI, percent_of

HUGE = 10**400  # Valid in JSON, but too large for a float.


def aggregate(progress: Any, total: Any = 100) -> dict[str, Any]:
    return {URI: {"aggregate": {"progress": progress, "total": total}}}


def trackers(*shares: tuple[Any, Any]) -> dict[str, Any]:
    return {
        URI: {
            "trackers": [
                {"id": str(i), "progress": progress, "total": total}
                for i, (progress, total) in enumerate(shares)
            ]
        }
    }


@pytest.mark.parametrize(
    ("metadata", "percent"),
    [
        (aggregate(25), 25),
        (aggregate(1, 3), 33.3),
        (aggregate(0), 0),
        (aggregate(100), 100),
        (aggregate(0.5, 1), 50),
        (trackers((50, 100)), 50),
        (trackers((1, 4), (3, 4)), 50),
        (trackers((50, 100), (7, None)), 50),
    ],
)
def test_progress_is_the_share_of_the_total_in_percent(
    metadata: dict[str, Any], percent: float
) -> None:
    assert percent_of(metadata) == percent


def test_aggregate_wins_over_the_trackers() -> None:
    both = aggregate(80)
    both[URI] |= trackers((1, 10))[URI]

    assert percent_of(both) == 80


def test_trackers_count_if_the_aggregate_has_no_total() -> None:
    both = aggregate(80, None)
    both[URI] |= trackers((1, 10))[URI]

    assert percent_of(both) == 10


def test_any_uri_of_the_draft_is_read() -> None:
    elsewhere = {"https://example.org/task-progress/v1": aggregate(25)[URI]}

    assert percent_of(elsewhere) == 25


def test_first_metadata_with_progress_wins() -> None:
    assert percent_of({}, aggregate("?"), aggregate(30), aggregate(40)) == 30


@pytest.mark.parametrize(
    ("metadata", "percent"),
    [(aggregate(150), 100), (aggregate(1e300, 1e-300), 100)],
)
def test_more_than_the_total_is_100(metadata: dict[str, Any], percent: float) -> None:
    assert percent_of(metadata) == percent


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"progress": 50},
        {"https://example.org/task-progress/v2": aggregate(25)[URI]},
        {URI: None},
        {URI: [50]},
        {URI: {}},
        {URI: {"trackers": {}}},
        {URI: {"trackers": [None, 50, "half"]}},
        aggregate(50, None),
        aggregate(50, 0),
        aggregate("50"),
        aggregate(True, True),
        aggregate(-1),
        aggregate(50, -100),
        aggregate(float("nan")),
        aggregate(float("inf"), float("inf")),
    ],
)
def test_invalid_progress_is_ignored(metadata: dict[str, Any]) -> None:
    assert percent_of(metadata) is None


@pytest.mark.parametrize("number", [percent_of(aggregate(25.0)), percent_of({})])
def test_whole_percent_is_an_integer(number: float | None) -> None:
    assert number is None or isinstance(number, int)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(HUGE)
    | st.floats()
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["trackers", "aggregate", "progress", "total", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None)
@given(anything)
@example({"aggregate": {"progress": HUGE, "total": HUGE}})
@example({"trackers": [{"progress": 1, "total": HUGE}]})
def test_any_metadata_can_be_read(value: Any) -> None:
    percent = percent_of({URI: value})

    assert percent is None or 0 <= percent <= 100
