"""Owns where a plan stands: what is known of each step, and that as metadata.

A run changes it; each update of the host's task carries it, so that a run that was
killed is taken up from the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..plans.plan import Plan, Step
from ..protocol.progress import URI as PROGRESS

Json = dict[str, Any]
# pending, sending (it may or may not have been sent), running, asking (what to do now
# that it failed), completed, skipped.
Stage = Literal["pending", "sending", "running", "asking", "completed", "skipped"]

PLAN = "https://courtside.dev/extensions/plan/v1"
# The draft's schema of task progress refuses longer messages.
MAX_MESSAGE_CHARS = 512


@dataclass
class StepState:
    """One step of a run: `task_id` is its child, `message_id` what was sent for it.

    `says` is the child's last word, or why the step failed.
    """

    step: Step
    stage: Stage = "pending"
    agent: str | None = None
    task_id: str | None = None
    message_id: str | None = None
    attempt: int = 0
    progress: float = 0
    says: str = ""
    result: str = ""

    @property
    def is_over(self) -> bool:
        return self.stage in ("completed", "skipped")

    @property
    def name(self) -> str:
        return f"{self.step.key} ({self.agent})" if self.agent else self.step.key

    def as_json(self) -> Json:
        row: Json = {
            "stage": self.stage,
            "agent": self.agent,
            "taskId": self.task_id,
            "messageId": self.message_id,
            "attempt": self.attempt,
            # The others' is what the feed has of the child.
            "says": self.says if self.stage in ("asking", "skipped") else None,
            "result": None if self.task_id else self.result,
        }
        return {name: value for name, value in row.items() if value}

    @classmethod
    def of(cls, step: Step, row: Mapping[str, Any]) -> StepState:
        """What `as_json` gave, as it came back from the log."""
        stage = row.get("stage", "pending")
        return cls(
            step,
            stage if stage in get_args(Stage) else "pending",
            row.get("agent"),
            row.get("taskId"),
            row.get("messageId"),
            int(row.get("attempt", 0)),
            says=row.get("says", ""),
            result=row.get("result", ""),
        )

    def tracker(self) -> Json:
        over = {"completed": "completed", "asking": "failed", "skipped": "failed"}
        row: Json = {
            "id": self.step.key,
            "progress": self.progress,
            "total": 100,
            "message": self.says[:MAX_MESSAGE_CHARS],
            "status": over.get(self.stage, "running"),
        }
        return {name: value for name, value in row.items() if value != ""}


def states_of(plan: Plan, rows: Mapping[str, Any]) -> dict[str, StepState]:
    """Each step of the plan, with what was told of it."""
    return {
        key: StepState.of(step, rows.get(key, {})) for key, step in plan.steps.items()
    }


def percent_of(states: Collection[StepState]) -> float:
    """The mean of the steps; one that is over is wholly done."""
    done = sum(100 if state.is_over else state.progress for state in states)
    return round(done / len(states), 1) if states else 0


def metadata_of(states: Mapping[str, StepState], percent: float) -> Json:
    """What an update of the host's task carries: progress, and where each step is."""
    begun = {key: s for key, s in states.items() if s.stage != "pending" or s.attempt}
    trackers = [state.tracker() for state in begun.values()]
    aggregate = {"progress": percent, "total": 100}
    return {
        PROGRESS: {"trackers": trackers, "aggregate": aggregate},
        PLAN: {"steps": {key: state.as_json() for key, state in begun.items()}},
    }


def at_work(states: Iterable[StepState]) -> str:
    """A sentence of what runs now."""
    names = [s.name for s in states if s.stage in ("sending", "running")]
    return f"Running {', '.join(names)}" if names else "Thinking"


def summary_of(states: Iterable[StepState]) -> list[Json]:
    """The parts of the artifact that a plan ends with: to read, and by step."""
    lines, found = [], {}
    for state in states:
        skipped = state.stage == "skipped"
        said = f"skipped: {state.says}" if skipped else state.result
        lines.append(f"{state.name}: {said}")
        row = {
            "agent": state.agent,
            "taskId": state.task_id,
            "status": state.stage,
            "why" if skipped else "result": state.says if skipped else state.result,
        }
        found[state.step.key] = {k: v for k, v in row.items() if v is not None}
    return [{"text": "\n".join(lines)}, {"data": found}]
