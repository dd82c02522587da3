"""Holds the state of each step of a run, and writes it as A2A metadata.

Each update of the host's task has this metadata, so that a run can resume from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..plans.plan import Plan, Step
from ..protocol.progress import URI as PROGRESS_URI
from .questions import Question

Json = dict[str, Any]
# sending: the agent may or may not have the message. asking: the step failed, and a
# person decides what happens next.
Stage = Literal["pending", "sending", "running", "asking", "completed", "skipped"]

PLAN_URI = "https://courtside.dev/extensions/plan/v1"
MAX_MESSAGE_CHARS = 512  # The limit in the draft schema of task progress.


@dataclass
class StepState:
    """One step of a run. `task_id` is its child task, `message_id` the sent message.

    `message` is the child's last message, or why the step failed. `question` is the
    open question of the step to a person.
    """

    step: Step
    stage: Stage = "pending"
    agent: str | None = None
    task_id: str | None = None
    message_id: str | None = None
    attempt: int = 0
    progress: float = 0
    message: str = ""
    result: str = ""
    question: Question | None = None

    @property
    def has_ended(self) -> bool:
        return self.stage in ("completed", "skipped")

    @property
    def name(self) -> str:
        return f"{self.step.key} ({self.agent})" if self.agent else self.step.key

    def to_json(self) -> Json:
        fields: Json = {
            "stage": self.stage,
            "agent": self.agent,
            "taskId": self.task_id,
            "messageId": self.message_id,
            "attempt": self.attempt,
            # In other stages, the feed has the child's message and result.
            "says": self.message if self.stage in ("asking", "skipped") else None,
            "result": None if self.task_id else self.result,
        }
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_json(cls, step: Step, fields: Mapping[str, Any]) -> StepState:
        return cls(
            step,
            stage=fields.get("stage", "pending"),
            agent=fields.get("agent"),
            task_id=fields.get("taskId"),
            message_id=fields.get("messageId"),
            attempt=int(fields.get("attempt", 0)),
            message=fields.get("says", ""),
            result=fields.get("result", ""),
        )

    def to_tracker(self) -> Json:
        status = {"completed": "completed", "asking": "failed", "skipped": "failed"}
        tracker: Json = {
            "id": self.step.key,
            "progress": self.progress,
            "total": 100,
            "status": status.get(self.stage, "running"),
        }
        if self.message:
            tracker["message"] = self.message[:MAX_MESSAGE_CHARS]
        return tracker


def restore_steps(plan: Plan, saved: Mapping[str, Any]) -> dict[str, StepState]:
    """Return the state of each step of the plan. `saved` has their JSON by key."""
    return {
        key: StepState.from_json(step, saved.get(key, {}))
        for key, step in plan.steps.items()
    }


def mean_progress(steps: Mapping[str, StepState]) -> float:
    done = sum(100 if step.has_ended else step.progress for step in steps.values())
    return round(done / len(steps), 1) if steps else 0


def build_metadata(steps: Mapping[str, StepState], percent: float) -> Json:
    """Build the metadata of an update: the progress, and the steps that have begun."""
    begun = {key: s for key, s in steps.items() if s.stage != "pending" or s.attempt}
    return {
        PROGRESS_URI: {
            "trackers": [step.to_tracker() for step in begun.values()],
            "aggregate": {"progress": percent, "total": 100},
        },
        PLAN_URI: {"steps": {key: step.to_json() for key, step in begun.items()}},
    }


def describe_running(steps: Iterable[StepState]) -> str:
    names = [step.name for step in steps if step.stage in ("sending", "running")]
    return f"Running {', '.join(names)}" if names else "Thinking"


def build_summary(steps: Iterable[StepState]) -> list[Json]:
    """Build the parts of the final artifact: the results as text, and as data."""
    lines, data = [], {}
    for step in steps:
        is_skipped = step.stage == "skipped"
        lines.append(
            f"{step.name}: {f'skipped: {step.message}' if is_skipped else step.result}"
        )
        fields = {"agent": step.agent, "taskId": step.task_id, "status": step.stage}
        fields |= {"why": step.message} if is_skipped else {"result": step.result}
        data[step.step.key] = {k: v for k, v in fields.items() if v is not None}
    return [{"text": "\n".join(lines)}, {"data": data}]
