"""Tests the states of a follower: each transition from each state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from host.following.follower_states import (
    RETRY_S,
    Broken,
    Ended,
    FollowerStates,
    IllegalTransition,
    Live,
    Repairing,
    Source,
    Starting,
    State,
    Waiting,
)
from host.protocol.gaps import HOST_WAS_AWAY

STARTING, WAITING, ENDED = Starting(), Waiting(), Ended()
RESPONSE, REPLY = Live(Source.RESPONSE), Live(Source.REPLY)
SUBSCRIBED, POLLING = Live(Source.SUBSCRIPTION), Live(Source.POLLING)
BROKEN, REPAIRING = Broken("broke"), Repairing("broke")
STATES: list[State] = [
    STARTING,
    WAITING,
    RESPONSE,
    REPLY,
    SUBSCRIBED,
    POLLING,
    BROKEN,
    REPAIRING,
    ENDED,
]

TRANSITIONS: dict[str, Callable[[FollowerStates], None]] = {
    "start": lambda states: states.start(has_history=False),
    "lack a stream": lambda states: states.lack_stream("too many"),
    "open a subscription": lambda states: states.open_stream(Source.SUBSCRIPTION),
    "open the response": lambda states: states.open_stream(Source.RESPONSE),
    "poll": lambda states: states.poll(),
    "refuse the stream": lambda states: states.refuse_stream(),
    "break the stream": lambda states: states.break_stream("broke"),
    "repair": lambda states: states.repair(),
    "retry": lambda states: states.retry(),
    "take a reply": lambda states: states.take_reply(needs_input=False),
    "end": lambda states: states.end(),
}

# Every other pair of state and transition is illegal, except that nothing leaves ended.
LEGAL: list[tuple[str, list[State], State]] = [
    ("start", [STARTING], WAITING),
    ("lack a stream", [WAITING], WAITING),
    (
        "open a subscription",
        [WAITING, RESPONSE, REPLY, SUBSCRIBED, POLLING],
        SUBSCRIBED,
    ),
    ("open the response", [WAITING, RESPONSE, REPLY, SUBSCRIBED, POLLING], RESPONSE),
    ("poll", [WAITING, RESPONSE, REPLY, SUBSCRIBED, POLLING], POLLING),
    ("refuse the stream", [WAITING, RESPONSE, REPLY, SUBSCRIBED, POLLING], WAITING),
    ("break the stream", [WAITING, RESPONSE, REPLY, SUBSCRIBED, POLLING], BROKEN),
    ("repair", [BROKEN], REPAIRING),
    ("retry", [BROKEN, REPAIRING], Waiting(RETRY_S[0])),
    (
        "take a reply",
        [WAITING, RESPONSE, REPLY, SUBSCRIBED, POLLING, BROKEN, REPAIRING],
        REPLY,
    ),
    ("end", STATES, ENDED),
]


def states_in(state: State) -> FollowerStates:
    states = FollowerStates()
    states.state = state
    return states


@pytest.mark.parametrize("before", STATES, ids=str)
@pytest.mark.parametrize(("name", "origins", "after"), LEGAL, ids=lambda x: str(x)[:20])
def test_transition_leads_to_its_state_or_is_illegal(
    before: State, name: str, origins: list[State], after: State
) -> None:
    states = states_in(before)

    if before in origins:
        TRANSITIONS[name](states)
        assert states.state == after
    elif before == ENDED:
        TRANSITIONS[name](states)
        assert states.state == ENDED
    else:
        with pytest.raises(IllegalTransition):
            TRANSITIONS[name](states)
        assert states.state == before


class TestPendingGap:
    @pytest.mark.parametrize(
        ("name", "before", "after"),
        [
            ("lack a stream", WAITING, "too many"),
            ("break the stream", SUBSCRIBED, "broke"),
            ("repair", BROKEN, "earlier"),
            ("retry", BROKEN, "broke"),
            ("retry", REPAIRING, "broke"),
            ("open a subscription", WAITING, "earlier"),
            ("open the response", WAITING, "earlier"),
            ("refuse the stream", WAITING, "earlier"),
            ("take a reply", SUBSCRIBED, "earlier"),
            ("poll", WAITING, None),
        ],
    )
    def test_transition_sets_keeps_or_clears_it(
        self, name: str, before: State, after: str | None
    ) -> None:
        states = states_in(before)
        states.pending_gap = "earlier"

        TRANSITIONS[name](states)

        assert states.pending_gap == after

    @pytest.mark.parametrize(
        ("has_history", "gap"), [(True, HOST_WAS_AWAY), (False, None)]
    )
    def test_history_means_that_the_host_was_away(
        self, has_history: bool, gap: str | None
    ) -> None:
        states = FollowerStates()

        states.start(has_history=has_history)

        assert states.pending_gap == gap

    def test_reply_to_a_question_clears_it(self) -> None:
        states = states_in(WAITING)
        states.pending_gap = "earlier"

        states.take_reply(needs_input=True)

        assert states.pending_gap is None

    def test_update_takes_it_once(self) -> None:
        states = states_in(SUBSCRIBED)
        states.pending_gap = "earlier"

        assert states.take_pending_gap() == "earlier"
        assert states.take_pending_gap() is None


class TestReply:
    """At most one stream is read at a time."""

    @pytest.mark.parametrize("needs_input", [True, False])
    @pytest.mark.parametrize("state", STATES, ids=str)
    def test_stream_is_taken_unless_a_better_one_is_read(
        self, state: State, needs_input: bool
    ) -> None:
        is_better = state in (RESPONSE, SUBSCRIBED, REPLY) and not needs_input

        can_take = states_in(state).can_take_reply(needs_input=needs_input)

        assert can_take != is_better

    @pytest.mark.parametrize("state", STATES, ids=str)
    def test_second_one_is_not_taken(self, state: State) -> None:
        states = states_in(state)
        states.expect_reply()

        assert not states.can_take_reply(needs_input=True)

    @pytest.mark.parametrize("before", [WAITING, SUBSCRIBED, BROKEN, REPAIRING, REPLY])
    def test_end_of_it_lets_the_follower_wait_for_its_own_stream(
        self, before: State
    ) -> None:
        """This holds even if it ended before its first batch."""
        states = states_in(before)
        states.expect_reply()

        states.end_reply("broke")

        assert (states.state, states.pending_gap) == (WAITING, "broke")
        assert states.can_take_reply(needs_input=False)

    @pytest.mark.parametrize("before", [STARTING, ENDED])
    def test_end_of_it_does_not_start_or_restart_a_follower(
        self, before: State
    ) -> None:
        states = states_in(before)
        states.expect_reply()

        states.end_reply("broke")

        assert (states.state, states.pending_gap) == (before, None)


class TestBackoff:
    def test_delay_grows_to_its_limit(self) -> None:
        states = states_in(WAITING)
        delays = []
        for _ in range(len(RETRY_S) + 2):
            states.break_stream(None)
            states.retry()
            delays.append(states.delay_s)

        assert delays == [*RETRY_S, RETRY_S[-1], RETRY_S[-1]]

    def test_delay_is_short_again_after_news(self) -> None:
        states = states_in(WAITING)
        for _ in range(3):
            states.break_stream(None)
            states.retry()
        states.open_stream(Source.SUBSCRIPTION)
        states.reset_backoff()
        states.break_stream(None)
        states.retry()

        assert states.delay_s == RETRY_S[0]

    @pytest.mark.parametrize("state", [s for s in STATES if s != WAITING], ids=str)
    def test_only_a_waiting_follower_has_a_delay(self, state: State) -> None:
        assert states_in(state).delay_s == 0
