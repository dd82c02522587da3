"""Maps the states of A2A tasks to the status words of the feed."""

from __future__ import annotations

from ..model.event import TERMINAL

# The lesson's words where it has one, A2A's for the rest.
STATUS_OF_STATE = {
    "TASK_STATE_SUBMITTED": "submitted",
    "TASK_STATE_WORKING": "running",
    "TASK_STATE_COMPLETED": "completed",
    "TASK_STATE_FAILED": "error",
    "TASK_STATE_CANCELED": "cancelled",
    "TASK_STATE_REJECTED": "rejected",
    "TASK_STATE_INPUT_REQUIRED": "input-required",
    "TASK_STATE_AUTH_REQUIRED": "auth-required",
}


TERMINAL_STATES = {
    state for state, status in STATUS_OF_STATE.items() if status in TERMINAL
}


def status_of(state: str) -> str:
    return STATUS_OF_STATE.get(state, "unknown")


def is_terminal(state: str) -> bool:
    return state in TERMINAL_STATES
