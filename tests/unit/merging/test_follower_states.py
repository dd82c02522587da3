"""Tests the states of a follower: each transition from each state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from host.merging.follower_states import (
    MAX_LARGE,
    RETRY_S,
    TOO_LARGE_S,
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
    "start": lambda states: states.start(None),
    "lack a stream": lambda states: states.lack_stream("too many"),
    "open a subscription": lambda states: states.open_stream(Source.SUBSCRIPTION),
    "open the response": lambda states: states.open_stream(Source.RESPONSE),
    "poll": lambda states: states.poll(),
    "refuse the stream": lambda states: states.refuse_stream(),
    "break the stream": lambda states: states.break_stream("broke"),
    "repair": lambda states: states.repair(),
    "retry": lambda states: states.retry(),
    "take a reply": lambda states: states.take_reply(),
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

    def test_start_sets_it(self) -> None:
        states = FollowerStates()

        states.start(HOST_WAS_AWAY)

        assert states.pending_gap == HOST_WAS_AWAY

    @pytest.mark.parametrize("needs_input", [True, False])
    def test_reply_to_a_question_clears_it(self, needs_input: bool) -> None:
        states = states_in(WAITING)
        states.pending_gap = "earlier"
        states.expect_reply(needs_input=needs_input)

        states.take_reply()

        assert states.pending_gap == (None if needs_input else "earlier")


class TestReply:
    @pytest.mark.parametrize("before", [WAITING, POLLING, BROKEN, REPAIRING])
    def test_response_is_read_where_no_stream_is_open(self, before: State) -> None:
        states = states_in(before)

        states.take_reply()

        assert states.state == REPLY

    @pytest.mark.parametrize("before", [RESPONSE, SUBSCRIBED, REPLY])
    def test_open_stream_is_read_beside_it(self, before: State) -> None:
        states = states_in(before)
        states.expect_reply(needs_input=False)

        states.take_reply()

        assert states.state == before

    @pytest.mark.parametrize("before", [RESPONSE, SUBSCRIBED])
    def test_open_stream_outlasts_it(self, before: State) -> None:
        states = states_in(before)
        states.expect_reply(needs_input=False)
        states.take_reply()

        states.end_reply("broke")

        assert (states.state, states.pending_gap) == (before, None)

    @pytest.mark.parametrize("needs_input", [True, False])
    def test_stream_that_ends_beside_an_answer_leaves_no_gap(
        self, needs_input: bool
    ) -> None:
        states = states_in(SUBSCRIBED)
        states.expect_reply(needs_input=needs_input)

        states.break_stream("broke")

        assert states.pending_gap == (None if needs_input else "broke")

    def test_stream_may_be_opened_after_the_last_one(self) -> None:
        states = states_in(WAITING)
        states.expect_reply(needs_input=False)
        states.expect_reply(needs_input=False)
        states.take_reply()

        states.end_reply("broke")
        assert (states.state, states.has_reply) == (REPLY, True)
        states.end_reply("broke")

        assert (states.state, states.has_reply) == (WAITING, False)
        assert states.pending_gap == "broke"

    @pytest.mark.parametrize("before", [STARTING, WAITING, BROKEN, ENDED])
    def test_refused_message_changes_nothing(self, before: State) -> None:
        states = states_in(before)
        states.expect_reply(needs_input=False)

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

    def test_delay_is_long_if_the_task_is_too_large(self) -> None:
        states = states_in(WAITING)
        delays = []
        for _ in range(MAX_LARGE + 2):
            states.break_stream(None)
            states.retry(is_too_large=True)
            delays.append(states.delay_s)

        assert delays == [*RETRY_S[:MAX_LARGE], TOO_LARGE_S, TOO_LARGE_S]

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
