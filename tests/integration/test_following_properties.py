"""Property tests of following: random histories of model agents.

The feed has everything that the agent sent, once and in order, or a gap stands where
something is missing. COURTSIDE_EXAMPLES sets the number of histories, COURTSIDE_SEED
selects others.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.support.fast_following import fast_following
from tests.support.harness import THOROUGH
from tests.support.model_history import History, Step, play
from tests.support.model_wire import AgentKind

EXAMPLES = int(os.environ.get("COURTSIDE_EXAMPLES", 400 if THOROUGH else 60))
SEED = os.environ.get("COURTSIDE_SEED")

delays_ms = st.lists(st.integers(0, 8), min_size=1, max_size=4).map(tuple)
ages = st.just((0,)) | st.sampled_from([(0, 1), (0, 3, 0), (99, 0), (2, 0, 0, 1)])
kinds = st.builds(
    AgentKind,
    version=st.sampled_from(["1.0", "0.3"]),
    start=st.sampled_from(["fresh", "late", "nothing", "stale", "refused"]),
    can_list=st.booleans(),
    can_get=st.just(True),
    is_numbered=st.sampled_from([False, False, False, True]),
    ends_at_questions=st.booleans(),
    replies_with_task=st.booleans(),
    joins_texts=st.booleans(),
    ages=ages,
    delays_ms=delays_ms,
)
updates = st.sampled_from(["say", "status", "chunk a", "chunk b", "message", "ask"])
faults = st.sampled_from(["cut", "restart host", "restart agent", "lose store"])
steps = st.builds(
    Step,
    action=st.one_of(updates, updates, updates, st.just("chunk a"), faults),
    pace=st.sampled_from(["burst", "go", "wait"]),
    size=st.integers(0, 500),
    task=st.sampled_from([0, 0, 0, 1]),
)


def make_valid(history: History) -> History:
    """Agents with numbers keep to our extension. A2A 0.3 has no ListTasks."""
    kind, steps = history.kind, history.steps
    if kind.version == "0.3":
        kind = kind._replace(can_list=False)
    if any(kind.ages) and kind.start in ("nothing", "stale"):
        # Nothing tells a Task as old as the feed from a fresh one.
        kind = kind._replace(ages=(99, 0))
    if kind.is_numbered:
        kind = kind._replace(start="fresh", ages=(0,))
        # A Message has no number.
        steps = tuple(
            step._replace(action="say") if step.action == "message" else step
            for step in steps
        )
    return history._replace(kind=kind, steps=steps)


histories = st.builds(
    History,
    kind=kinds,
    steps=st.lists(steps, min_size=1, max_size=12).map(tuple),
    end=st.sampled_from(["empty", "text", "artifact after", "artifact later"]),
    are_direct=st.tuples(st.booleans(), st.booleans()),
).map(make_valid)


def test_feed_is_what_the_agent_sent_or_has_a_gap() -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=SEED is None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(histories)
    def check(history: History) -> None:
        with fast_following():
            assert play(history) == []

    (seed(int(SEED))(check) if SEED else check)()
