"""Counts the updates of numbered_agents.py in the feed: delivered, duplicated, lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

Json = dict[str, Any]

BEGUN = 0
"""The number of a task's first row. `completed` is one more than the last update."""


KILLED = " killed"
"""Suffix of the table row for tasks that an agent lost because it was killed."""


@dataclass
class UpdateCounts:
    """Counts of one task, or the sum of many. All except the first two are updates."""

    tasks: int = 0
    gaps: int = 0
    updates: int = 0
    delivered: int = 0
    duplicated: int = 0
    reordered: int = 0
    unseen: int = 0
    """Sent before the host received anything about the task, and lost."""
    in_gap: int = 0
    unreported: int = 0
    """Lost, and no gap reports it. Must be 0."""
    unfetched: int = 0
    """Not in the feed, although the agent still has them. Must be 0."""

    def __add__(self, other: UpdateCounts) -> UpdateCounts:
        names = [each.name for each in fields(self)]
        return UpdateCounts(
            *(getattr(self, name) + getattr(other, name) for name in names)
        )

    @property
    def wrong(self) -> int:
        """The number of updates for which the host broke its promises."""
        return self.duplicated + self.reordered + self.unreported + self.unfetched


@dataclass
class RunReport:
    """The result of a run. `what` describes the run."""

    seed: int
    what: str
    took_s: float = 0.0
    fault_counts: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    """Faults that this machine does not support, with the reason."""
    cuts: int = 0
    readers: int = 1
    reader_connections: int = 0
    events: int = 0
    reader_wrong: list[str] = field(default_factory=list)
    counts: dict[str, UpdateCounts] = field(default_factory=dict)
    feeds: dict[str, list[Json]] = field(default_factory=dict)
    """The feed of each task with an error."""

    @property
    def wrong(self) -> list[str]:
        """A description of each broken promise."""
        return [*self.reader_wrong, *self.feeds]

    def add(
        self, agent: str, task: str, counts: UpdateCounts, feed: list[Json]
    ) -> None:
        """Add one task. Keep its feed if something is wrong."""
        self.counts[agent] = self.counts.get(agent, UpdateCounts()) + counts
        if is_wrong(agent, counts):
            self.feeds[f"{agent}/{task}"] = feed

    def __str__(self) -> str:
        errors = " and ".join(self.reader_wrong) or "none"
        fault_counts = ", ".join(
            f"{n} × {what}" for what, n in sorted(self.fault_counts.items())
        )
        names = [each.name for each in fields(UpdateCounts)]
        head = f"{'agent':<26}" + "".join(f"{name:>11}" for name in names)
        rows = [
            f"{agent:<26}" + "".join(f"{getattr(counts, name):>11,}" for name in names)
            for agent, counts in self.counts.items()
        ]
        return "\n".join(
            [
                f"{self.what} in {self.took_s:.0f} s (seed {self.seed}): "
                f"{fault_counts}; {self.cuts} connections cut.",
                f"{self.readers} reader(s) connected {self.reader_connections} times "
                f"and received {self.events:,} events; errors: {errors}.",
                *(f"Skipped: {reason}." for reason in self.skipped),
                "",
                head,
                *rows,
            ]
        )


def is_wrong(agent: str, counts: UpdateCounts) -> bool:
    """Return whether the counts break a promise.

    All updates of a resumable agent must be delivered. Updates of other agents, and of
    agents that were killed, may be lost inside a gap.
    """
    complete = counts.delivered == counts.updates and not counts.gaps
    must_be = agent.startswith("resumable") and not agent.endswith(KILLED)
    return counts.wrong > 0 or (must_be and not complete)


@dataclass
class _Batch:
    """The update numbers that one A2A update added to the feed.

    `after_gap` is true if a gap event comes before them.
    """

    after_gap: bool = False
    numbers: list[int] = field(default_factory=list)


def count_updates(events: Sequence[Json], task: Json) -> UpdateCounts:
    """Compare the feed's events of one task with the agent's task at the end.

    The first message in `history` has the number of updates: "60".
    """
    count = int(text_of(task["history"][0]["parts"]).split()[0])
    return _count(events, count, numbers_at_agent(task, count))


def count_lost(events: Sequence[Json], sent: int) -> UpdateCounts:
    """Count the updates of a task that its agent lost after so many updates.

    The host ends the task with an error. That row counts as the last update.
    """
    if not events:
        return UpdateCounts(tasks=1, updates=sent, unseen=sent)
    return _count(events, sent, set())


def _count(events: Sequence[Json], count: int, known: set[int]) -> UpdateCounts:
    batches = list(_batches(events, count))
    delivered = Counter(number for batch in batches for number in batch.numbers)
    missing = [n for n in range(1, count + 2) if n not in delivered]
    silent, unseen = 0, 0
    for number in missing:
        if _in_gap(number, batches):
            continue
        if batches and BEGUN not in delivered and number < max(batches[0].numbers):
            unseen += 1
        else:
            silent += 1
    return UpdateCounts(
        tasks=1,
        gaps=sum(batch.after_gap for batch in batches),
        updates=count + 1,
        delivered=count + 1 - len(missing),
        duplicated=sum(times - 1 for times in delivered.values()),
        reordered=_disordered(batches),
        unseen=unseen,
        in_gap=len(missing) - silent - unseen,
        unreported=silent,
        unfetched=len(known - delivered.keys()),
    )


def numbers_at_agent(task: Json, count: int) -> set[int]:
    """Return the numbers that are still in a Task of `count` updates."""
    messages = [*task.get("history", ()), task["status"].get("message")]
    said = [text_of(m["parts"]) for m in messages if m and m["role"] == "ROLE_AGENT"]
    found = {number for text in said for number in _words(text, count)}
    for artifact in task.get("artifacts", ()):
        found.update(map(int, text_of(artifact["parts"]).split()))
    return found


def text_of(parts: Iterable[Json]) -> str:
    return "".join(part.get("text", "") for part in parts)


def _batches(events: Sequence[Json], count: int) -> Iterable[_Batch]:
    """Group the events that the host received at the same time, oldest first."""
    before: Json = {}
    for _, group in groupby(events, key=lambda event: event["received_at"]):
        batch = _Batch()
        for event in group:
            if event["kind"] == "gap":
                if batch.numbers:
                    yield batch
                batch = _Batch(after_gap=True)
            elif event["kind"] == "artifact":
                batch.numbers += map(int, text_of(event["parts"]).split())
            else:
                batch.numbers.append(_number(before, event, count))
                before = event
        yield batch


def _number(before: Json, row: Json, count: int) -> int:
    """Return the number of the update that this row shows."""
    if row["status"] == "submitted":
        return BEGUN
    if row["status"] == "error":
        return count + 1
    if row["message_id"] != before.get("message_id"):
        for number in _words(row["message"] or "", count):
            return number
    return int(row["progress"] or 0)


def _words(text: str, count: int) -> list[int]:
    if text == "Done.":
        return [count + 1]
    return [int(number) for number in re.findall(r"^update (\d+)$", text)]


def _in_gap(number: int, batches: Sequence[_Batch]) -> bool:
    highest = -1
    for batch in batches:
        numbers = batch.numbers or [highest]
        if batch.after_gap and highest < number < max(numbers):
            return True
        highest = max(highest, *numbers)
    return False


def _disordered(batches: Sequence[_Batch]) -> int:
    """Count updates that come after a later one, except right after a gap."""
    highest, wrong = -1, 0
    for place, batch in enumerate(batches):
        for number in batch.numbers:
            repaired = batch.after_gap or place == 0
            wrong += number < highest and not repaired
            highest = max(highest, number)
    return wrong
