"""Counts the updates of numbered_agents.py in the feed: delivered, duplicated, lost.

Reads feed events as JSON. Tests and scripts/exactly-once print and check the counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

Json = dict[str, Any]

BEGUN = 0
"""The number of a task's first row; `completed` has the one after its last update."""


KILLED = " killed"
"""Ends the name under which the tasks are reckoned up that an agent lost."""


@dataclass
class UpdateCounts:
    """Of one task, or of many added up. All but the first two and the last: updates."""

    tasks: int = 0
    gaps: int = 0
    updates: int = 0
    delivered: int = 0
    duplicated: int = 0
    reordered: int = 0
    unseen: int = 0
    """Lost before the host first heard of their task."""
    in_gap: int = 0
    unreported: int = 0
    """Lost where no gap says so. There must be none."""
    unfetched: int = 0
    """Not told, though the agent still knows them. There must be none."""

    def __add__(self, other: UpdateCounts) -> UpdateCounts:
        names = [each.name for each in fields(self)]
        return UpdateCounts(
            *(getattr(self, name) + getattr(other, name) for name in names)
        )

    @property
    def wrong(self) -> int:
        """How much of it breaks the host's promises."""
        return self.duplicated + self.reordered + self.unreported + self.unfetched


@dataclass
class RunReport:
    """What a run came to. `what` it was, in words."""

    seed: int
    what: str
    took_s: float = 0.0
    fault_counts: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    """What could not be tried on this machine, and why."""
    cuts: int = 0
    readers: int = 1
    reader_connections: int = 0
    events: int = 0
    reader_wrong: list[str] = field(default_factory=list)
    counts: dict[str, UpdateCounts] = field(default_factory=dict)
    feeds: dict[str, list[Json]] = field(default_factory=dict)
    """The feed of each task in which something is wrong."""

    @property
    def wrong(self) -> list[str]:
        """What breaks the host's promises, in words; nothing, else."""
        return [*self.reader_wrong, *self.feeds]

    def add(
        self, agent: str, task: str, counts: UpdateCounts, feed: list[Json]
    ) -> None:
        """One task more, whose feed is kept where something is wrong with it."""
        self.counts[agent] = self.counts.get(agent, UpdateCounts()) + counts
        if is_wrong(agent, counts):
            self.feeds[f"{agent}/{task}"] = feed

    def __str__(self) -> str:
        amiss = " and ".join(self.reader_wrong) or "nothing"
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
                f"{self.readers} reader(s) came {self.reader_connections} times for "
                f"{self.events:,} events; wrong with them: {amiss}.",
                *(f"Not tried: {reason}." for reason in self.skipped),
                "",
                head,
                *rows,
            ]
        )


def is_wrong(agent: str, counts: UpdateCounts) -> bool:
    """A resumable agent's updates are all there; others' may be lost inside a gap, and
    so may those of any agent that was killed."""
    complete = counts.delivered == counts.updates and not counts.gaps
    must_be = agent.startswith("resumable") and not agent.endswith(KILLED)
    return counts.wrong > 0 or (must_be and not complete)


@dataclass
class _Batch:
    """What one A2A update added to the feed, and whether a gap stands before it."""

    after_gap: bool = False
    numbers: list[int] = field(default_factory=list)


def count_updates(events: Sequence[Json], task: Json) -> UpdateCounts:
    """One task: its events as the feed has them, and as its agent has it at the end.

    The agent is asked how much there was: `history` begins with "60".
    """
    count = int(text_of(task["history"][0]["parts"]).split()[0])
    return _reckon(events, count, numbers_at_agent(task, count))


def count_updates_of_lost_task(events: Sequence[Json], told: int) -> UpdateCounts:
    """One task that its agent lost when it had told so many updates of it.

    The host's own word for that takes the place of the last one.
    """
    if not events:
        return UpdateCounts(tasks=1, updates=told, unseen=told)
    return _reckon(events, told, set())


def _reckon(events: Sequence[Json], count: int, known: set[int]) -> UpdateCounts:
    batches = list(_batches(events, count))
    told = Counter(number for batch in batches for number in batch.numbers)
    missing = [n for n in range(1, count + 2) if n not in told]
    silent, unseen = 0, 0
    for number in missing:
        if _in_gap(number, batches):
            continue
        if batches and BEGUN not in told and number < max(batches[0].numbers):
            unseen += 1
        else:
            silent += 1
    return UpdateCounts(
        tasks=1,
        gaps=sum(batch.after_gap for batch in batches),
        updates=count + 1,
        delivered=count + 1 - len(missing),
        duplicated=sum(times - 1 for times in told.values()),
        reordered=_disordered(batches),
        unseen=unseen,
        in_gap=len(missing) - silent - unseen,
        unreported=silent,
        unfetched=len(known - told.keys()),
    )


def numbers_at_agent(task: Json, count: int) -> set[int]:
    """The numbers that a Task of `count` updates still shows."""
    messages = [*task.get("history", ()), task["status"].get("message")]
    said = [text_of(m["parts"]) for m in messages if m and m["role"] == "ROLE_AGENT"]
    found = {number for text in said for number in _words(text, count)}
    for artifact in task.get("artifacts", ()):
        found.update(map(int, text_of(artifact["parts"]).split()))
    return found


def text_of(parts: Iterable[Json]) -> str:
    return "".join(part.get("text", "") for part in parts)


def _batches(events: Sequence[Json], count: int) -> Iterable[_Batch]:
    """Events that the host received as one, oldest first."""
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
    """Which update this row of the task tells."""
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
    """How many updates stand behind a later one, outside of what a gap repaired."""
    highest, wrong = -1, 0
    for place, batch in enumerate(batches):
        for number in batch.numbers:
            repaired = batch.after_gap or place == 0
            wrong += number < highest and not repaired
            highest = max(highest, number)
    return wrong
