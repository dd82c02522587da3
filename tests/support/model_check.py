"""Compares the feed's events of a task with what the model agent sent of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from host.model.event import WAITING, ArtifactEvent, Event, GapEvent, TaskEvent
from tests.support.model_task import ModelTask
from tests.support.model_wire import AgentKind


@dataclass
class TaskOutcome:
    """A task as the agent sent it, and its events in the feed.

    `is_unknown`: the host could not learn of the task. `has_late`: a stream was open
    when the agent sent an artifact some time after the end. `is_disturbed`: there was a
    cut or a restart. `unseen` is the number of texts sent while the feed had nothing
    but perhaps the first state of the task.
    """

    task: ModelTask
    is_direct: bool
    is_unknown: bool = False
    has_late: bool = True
    is_disturbed: bool = False
    unseen: int = 0
    events: list[Event] = field(default_factory=list)


class _Found(NamedTuple):
    place: int
    token: tuple[str, str]


def find_violations(outcome: TaskOutcome, kind: AgentKind) -> list[str]:
    is_unseen = outcome.task.is_lost and not outcome.events
    if outcome.is_unknown or is_unseen:
        return []
    check = _Check(outcome, kind)
    found = [
        *check.find_repeats(),
        *check.find_strangers(),
        *check.find_wrong_order(),
        *check.find_silent_losses(),
        *check.find_unrepaired(),
        *check.find_needless_gaps(),
    ]
    task_id = outcome.task.id
    return [f"{task_id}: {violation}; {check.summary}" for violation in found]


class _Check:
    def __init__(self, outcome: TaskOutcome, kind: AgentKind) -> None:
        self._outcome = outcome
        self._events = outcome.events
        self._sent = [(token.kind, token.text) for token in outcome.task.sent]
        self._kind = kind
        self._found = self._find_tokens()
        self._places = {token: place for place, token in self._found}
        self._gaps = [
            place
            for place, event in enumerate(self._events)
            if isinstance(event, GapEvent)
        ]

    @property
    def summary(self) -> str:
        sent = ", ".join(text for _, text in self._sent)
        return f"sent: {sent}; feed: {', '.join(map(_describe, self._events))}"

    def _find_tokens(self) -> list[_Found]:
        """Rebuild the texts of the task: its messages, and its artifacts in pieces.

        A chunk without `append` replaces those before it.
        """
        found: list[_Found] = []
        message_id = None
        for place, event in enumerate(self._events):
            if isinstance(event, TaskEvent):
                if event.message and event.message_id not in (None, message_id):
                    found.append(_Found(place, ("message", event.message)))
                message_id = event.message_id
            elif isinstance(event, ArtifactEvent):
                kind = event.artifact_id
                if not event.append:
                    found = [one for one in found if one.token[0] != kind]
                text = "".join(part["text"] for part in event.parts)
                found += [_Found(place, (kind, word)) for word in text.split()]
        return found

    def find_repeats(self) -> Iterator[str]:
        """No text twice, and no row. After a gap, an open question is repeated."""
        rows: Counter[tuple[object, ...]] = Counter()
        seen: set[tuple[str, str]] = set()
        for place, token in self._found:
            if token in seen and not self._is_question_again(place):
                yield f"{token[1]} is repeated"
            seen.add(token)
        for place, event in enumerate(self._events):
            if isinstance(event, TaskEvent) and not self._is_question_again(place):
                key = event.state, event.at, event.message_id, event.progress
                rows[key] += 1
                if rows[key] > 1:
                    yield f"the row {_describe(event)} is repeated"

    def _is_question_again(self, place: int) -> bool:
        event = self._events[place]
        return (
            isinstance(event, TaskEvent)
            and event.status in WAITING
            and any(gap < place for gap in self._gaps)
        )

    def find_strangers(self) -> Iterator[str]:
        for _, token in self._found:
            if token not in self._sent:
                yield f"{token} was never sent"

    def find_wrong_order(self) -> Iterator[str]:
        ranks = {token: rank for rank, token in enumerate(self._sent)}
        last: dict[str, int] = defaultdict(int)
        for place, token in self._found:
            rank = ranks.get(token, 0)
            is_late = rank < last[token[0]] and not self._is_question_again(place)
            # The next Task may have what a stale one did not have.
            has_gap = any(gap < place for gap in self._gaps)
            if is_late and not (self._is_stale and has_gap):
                yield f"{token[1]} comes too late"
            last[token[0]] = max(last[token[0]], rank)

    def find_silent_losses(self) -> Iterator[str]:
        """Report each missing text without a gap in its place."""
        for rank, token in enumerate(self._sent):
            if token in self._places or self._is_excused(rank):
                continue
            after = [self._places.get(t, len(self._events)) for t in self._sent[rank:]]
            before = [
                self._places.get(t, -1) for t in self._sent[:rank] if t[0] == token[0]
            ]
            end, start = min(after), max(before, default=-1)
            is_open = end == len(self._events) and self._outcome.task.is_lost
            if is_open and not self._has_ended:
                continue  # Some agents with an open question keep no tasks.
            if not any(start < gap < end for gap in self._gaps):
                yield f"{token[1]} is missing without a gap"

    @property
    def _has_ended(self) -> bool:
        row = self._events[-1]
        return isinstance(row, TaskEvent) and not row.is_open

    def find_unrepaired(self) -> Iterator[str]:
        """What an honest agent still has must be in the feed, and the result."""
        task = self._outcome.task
        if task.is_lost or any(self._kind.ages):
            return
        missing = [
            token.text
            for rank, token in enumerate(task.sent)
            if token in task.stored_tokens
            and (token.kind, token.text) not in self._places
            and not self._is_excused(rank)
        ]
        if missing:
            yield f"the agent has {', '.join(missing)}, the feed does not"
        row = self._events[-1] if self._events else None
        result = row.result if isinstance(row, TaskEvent) else None
        is_whole = all((t.kind, t.text) in self._places for t in task.stored_tokens)
        if is_whole and result != task.result:
            yield f"the result is {result!r}, not {task.result!r}"

    def find_needless_gaps(self) -> Iterator[str]:
        outcome = self._outcome
        is_known = not outcome.is_direct or self._kind.start == "fresh"
        if self._gaps and is_known and not outcome.is_disturbed:
            yield "there is a gap, although nothing was lost"

    def _is_excused(self, rank: int) -> bool:
        """Return whether nothing told the host that this text exists."""
        outcome = self._outcome
        if outcome.task.sent[rank].is_late:
            return not outcome.has_late
        # A stale Task that equals what the feed has cannot be told from a fresh one.
        return self._is_stale and rank < outcome.unseen

    @property
    def _is_stale(self) -> bool:
        return self._kind.start == "stale" or any(self._kind.ages)


def _describe(event: Event) -> str:
    if isinstance(event, GapEvent):
        return f"gap ({event.message})"
    if isinstance(event, ArtifactEvent):
        text = "".join(part["text"] for part in event.parts).strip()
        return f"{event.artifact_id} {'+' if event.append else '='} {text}"
    if isinstance(event, TaskEvent):
        at = event.at[-7:-1] if event.at else "-"
        return f"{event.status} {event.message or '-'} @{at}"
    return str(event)
