"""Tests of host/orchestrator/run_state.py: the progress of a step."""

from __future__ import annotations

import pytest

from host.orchestrator.run_state import MAX_MESSAGE_CHARS, StepState
from host.plans.parser import parse_plan

STEP = parse_plan("game", {"steps": {"first": {"agent": "carly"}}}).steps["first"]


@pytest.mark.parametrize("size", [1, MAX_MESSAGE_CHARS, MAX_MESSAGE_CHARS + 1])
def test_long_message_of_a_step_is_cut(size: int) -> None:
    state = StepState(STEP, message="x" * size)

    assert state.to_tracker()["message"] == "x" * min(size, MAX_MESSAGE_CHARS)
