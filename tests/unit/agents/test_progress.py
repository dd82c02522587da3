"""The task-progress extension: what agents send keeps to the draft's schema.

agents/progress.py.
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


@settings(deadline=None)  # a busy machine is not a wrong message
@given(percent=st.integers(0, 100), trackers=st.lists(trackers, max_size=100))
def test_progress_keeps_to_the_drafts_schema_whatever_a_script_says(
    percent: int, trackers: list[Tracker]
) -> None:
    metadata = progress.build_metadata(percent, trackers)
    assert list(metadata) == [progress.URI]
    jsonschema.validate(metadata[progress.URI], DRAFT)
    assert progress.read_percent(Task(metadata=metadata)) == percent


def test_the_schema_here_refuses_what_the_draft_refuses() -> None:
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


def test_metadata_of_somebody_else_says_nothing_about_progress() -> None:
    assert (
        progress.read_percent(Task(metadata={"https://example.org/other": 5})) is None
    )
