"""Tests that the progress that agents send matches the schema of the draft extension.

Covers agents/progress.py.
"""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from a2a.types.a2a_pb2 import Task
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import progress
from agents.progress import Tracker
from tests.support.progress_draft import DRAFT

trackers = st.builds(
    Tracker,
    id=st.text(min_size=1, max_size=128),
    percent=st.integers(0, 100),
    message=st.text(max_size=2000),
    status=st.sampled_from(["running", "completed", "failed"]),
)


@settings(deadline=None)  # A slow machine must not fail this test.
@given(percent=st.integers(0, 100), trackers=st.lists(trackers, max_size=100))
def test_any_progress_matches_the_draft_schema(
    percent: int, trackers: list[Tracker]
) -> None:
    metadata = progress.build_metadata(percent, trackers)
    assert list(metadata) == [progress.URI]
    jsonschema.validate(metadata[progress.URI], DRAFT)
    assert progress.read_percent(Task(metadata=metadata)) == percent


def test_schema_refuses_invalid_progress() -> None:
    refused: tuple[dict[str, Any], ...] = (
        {},
        {"trackers": [{}]},
        {"trackers": [{"id": "carly", "status": "cancelled"}]},
        {"trackers": [{"id": "carly", "percent": 5}]},
        {"trackers": [], "aggregate": {"message": "x" * 513}},
    )
    for wrong in refused:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, DRAFT)


def test_other_metadata_has_no_progress() -> None:
    assert (
        progress.read_percent(Task(metadata={"https://example.org/other": 5})) is None
    )
