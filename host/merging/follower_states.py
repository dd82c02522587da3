"""The states of a follower, and the transitions between them.

                  ┌───────────────────┬────────────┐
                  ▼                   │            │
    starting ──► waiting ──► live ──► broken ──► repairing
                  │ ▲          │      ▲
                  │ └──────────┘      │
                  └───────────────────┘

A live follower waits again when its agent refuses the subscription, or when the
response to a reply ends. Two more transitions start in several states: `take_reply`
makes the follower live on the response to a reply, unless it reads a stream already,
and `end` ends it. Nothing leaves ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..errors import CourtsideError

# At once the first time: many agents end the stream where they ask a question.
RETRY_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
MAX_LARGE = 3  # Failures in a row. A stream without its Task may still have updates.
TOO_LARGE_S = 60.0


class Source(Enum):
    """The source of a live follower's updates."""

    RESPONSE = "the response to the message that started the task"
    REPLY = "the response to a later message"
    SUBSCRIPTION = "a subscription"
    POLLING = "GetTask, again and again"


@dataclass(frozen=True)
class Starting:
    """Reads the events of the task in the feed."""


@dataclass(frozen=True)
class Waiting:
    """Waits `delay_s`, then until a stream may be opened and has its first batch."""

    delay_s: float = 0.0


@dataclass(frozen=True)
class Live:
    """Reads updates."""

    source: Source


@dataclass(frozen=True)
class Broken:
    """Has no stream. `gap_reason` says what that may hide; None: nothing."""

    gap_reason: str | None


@dataclass(frozen=True)
class Repairing:
    """Reads the task once, to find the missed updates that the agent still has."""

    gap_reason: str | None


@dataclass(frozen=True)
class Ended:
    """The task is over, or its agent no longer knows it."""


State = Starting | Waiting | Live | Broken | Repairing | Ended
OPEN_STATES = (Waiting, Live, Broken, Repairing)


class IllegalTransition(CourtsideError):
    """The follower has a bug: its state does not have this transition."""


class FollowerStates:
    """The state of one follower, with its pending gap and its backoff.

    `pending_gap` is the reason for the gap that the next update may need: until a Task
    proves that the feed has everything. `failures` counts the streams in a row that
    brought nothing new. From `expect_reply` to `end_reply`, no new stream is opened.
    """

    def __init__(self) -> None:
        self.state: State = Starting()
        self.pending_gap: str | None = None
        self.failures = 0
        self._replies = 0
        self._is_answer = False
        self._stream_gap: str | None = None  # Not pending while a response is open.

    @property
    def has_started(self) -> bool:
        return not isinstance(self.state, Starting)

    @property
    def has_ended(self) -> bool:
        return isinstance(self.state, Ended)

    @property
    def is_streaming(self) -> bool:
        """Whether updates arrive by a stream."""
        return isinstance(self.state, Live) and self.state != Live(Source.POLLING)

    @property
    def has_reply(self) -> bool:
        return self._replies > 0

    @property
    def delay_s(self) -> float:
        return self.state.delay_s if isinstance(self.state, Waiting) else 0.0

    @property
    def _gap_reason(self) -> str | None:
        state = self.state
        return state.gap_reason if isinstance(state, Broken | Repairing) else None

    def start(self, gap_reason: str | None) -> None:
        """Start to read the agent: the feed's events of the task are read."""
        if self._move(Waiting(), Starting):
            self.pending_gap = gap_reason

    def lack_stream(self, gap_reason: str) -> None:
        """Stay waiting: the host has too many streams open to the agent."""
        if self._move(Waiting(), Waiting):
            self.pending_gap = gap_reason

    def open_stream(self, source: Source) -> None:
        self._move(Live(source), Waiting, Live)

    def poll(self) -> None:
        """Read the task by GetTask, again and again.

        What comes and goes between two polls is no gap: the agent's row says that
        its tasks are polled.
        """
        if self._move(Live(Source.POLLING), Waiting, Live):
            self.pending_gap = None

    def refuse_stream(self) -> None:
        """Wait again: the agent has no subscription for the task as it is now."""
        self._move(Waiting(), Waiting, Live)

    def break_stream(self, gap_reason: str | None) -> None:
        """Lose the stream. A clean end may hide updates too: some agents drop a slow
        subscriber. The response to an answer has all that the stream would have had."""
        if self.has_reply and self._is_answer:
            self._stream_gap, gap_reason = gap_reason, None
        if self._move(Broken(gap_reason), Waiting, Live):
            self.pending_gap = gap_reason

    def repair(self) -> None:
        self._move(Repairing(self._gap_reason), Broken)

    def retry(self, *, is_too_large: bool = False) -> None:
        """Wait for the next stream, longer after each that brought nothing new.

        `is_too_large`: each may begin with a Task that the host cannot read.
        """
        reason = self._gap_reason
        delay_s = RETRY_S[min(self.failures, len(RETRY_S) - 1)]
        if is_too_large and self.failures >= MAX_LARGE:
            delay_s = TOO_LARGE_S
        if self._move(Waiting(delay_s), Broken, Repairing):
            self.failures += 1
            # Between a repair and the next stream, more updates may pass.
            self.pending_gap = reason

    def expect_reply(self, *, needs_input: bool) -> None:
        """Announce the response to a message. A task that asks has missed nothing: the
        response has all that follows."""
        self._replies += 1
        self._is_answer = needs_input

    def interrupt(self) -> None:
        """Stop a repair: the response to a message goes first."""
        reason = self._gap_reason
        if isinstance(self.state, Broken | Repairing):
            self._move(Waiting(), Broken, Repairing)
            self.pending_gap = reason

    def take_reply(self) -> None:
        """Read the response to a message, beside the stream that is read, if any."""
        if self.is_streaming:
            return
        if self._move(Live(Source.REPLY), *OPEN_STATES) and self._is_answer:
            self.pending_gap = None

    def end_reply(self, gap_reason: str | None) -> None:
        """Go on with the follower's own streams after the last response."""
        self._replies -= 1
        if self.has_reply:
            return
        stream_gap, self._stream_gap = self._stream_gap, None
        if self.state == Live(Source.REPLY):
            self._move(Waiting(), Live)
            self.pending_gap = gap_reason
        elif stream_gap and gap_reason and not self.is_streaming:
            # The stream broke, and perhaps the response too.
            if isinstance(self.state, Broken):
                self._move(Broken(stream_gap), Broken)
            self.pending_gap = stream_gap

    def reset_backoff(self) -> None:
        """Retry soon again: the agent sent something new."""
        self.failures = 0

    def end(self) -> None:
        self.state = Ended()

    def _move(self, to: State, *origins: type[State]) -> bool:
        """Change the state. Return whether it changed: an ended follower stays so."""
        if self.has_ended:
            return False
        if not isinstance(self.state, origins):
            raise IllegalTransition(f"a follower cannot go from {self.state} to {to}")
        self.state = to
        return True
