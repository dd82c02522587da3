"""Puts faults back into the following core: the check of histories finds each.

Otherwise the property test could pass because it sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from host.errors import AgentUnreachable
from host.merging import task_adder, task_merger
from host.merging.chunks_ahead import Repeat
from host.merging.open_streams import OpenStreams
from host.merging.task_merger import TaskMerger
from tests.support.fast_following import fast_following
from tests.support.model_history import History, Step, play
from tests.support.model_wire import AgentKind

ASKING = (
    Step("say", "wait"),
    Step("ask", "burst"),
    Step("chunk a", "burst"),
    Step("ask", "burst"),
    Step("chunk a", "wait"),
)
CUT = (
    Step("chunk a", "wait"),
    Step("cut", size=20),
    Step("chunk a", "go"),
    Step("chunk a", "wait", 4),
    Step("chunk a", "wait"),
)
# While GetTask is under way after a cut, nobody gets the chunks.
SLOW_CUT = (
    Step("chunk a", "wait"),
    Step("cut", size=20),
    *(Step("chunk a", "go", size=4) for _ in range(12)),
    Step("chunk a", "wait"),
)
TWO_STREAMS = [
    History(AgentKind(delays_ms=delays_ms), ASKING) for delays_ms in ((0, 6), (6, 0, 3))
]
STALE = [
    History(AgentKind(start="stale", delays_ms=(delay_ms,)), SLOW_CUT)
    for delay_ms in (8, 12, 16)
]
BARE = [
    History(AgentKind(version=version, start="nothing", can_list=False), CUT)
    for version in ("0.3", "1.0")
]
LATE = [
    History(AgentKind(), (Step("say", "wait"),), end)
    for end in ("artifact after", "artifact later")
]

Patch = Callable[[pytest.MonkeyPatch], None]


def forget_streams(patch: pytest.MonkeyPatch) -> None:
    """Count an update once for each stream that carries it."""
    patch.setattr(OpenStreams, "take", lambda *_: Repeat.NO)


def believe_stale_tasks(patch: pytest.MonkeyPatch) -> None:
    """Take every Task for a proof that nothing is missing."""
    patch.setattr(task_adder, "covers", lambda *_: True)


def read_no_tasks(patch: pytest.MonkeyPatch) -> None:
    """Never read the Task, as if the agent had no GetTask."""

    async def fail(_: TaskMerger) -> None:
        raise AgentUnreachable("the fault is back")

    patch.setattr(TaskMerger, "read_task", fail)


def end_at_once(patch: pytest.MonkeyPatch) -> None:
    """Take nothing after the terminal update."""
    patch.setattr(task_merger, "is_end", lambda _: False)


FAULTS: list[tuple[Patch, list[History]]] = [
    (forget_streams, TWO_STREAMS),
    (believe_stale_tasks, STALE),
    (read_no_tasks, BARE),
    (end_at_once, LATE),
]


@pytest.mark.parametrize(("put_back", "histories"), FAULTS)
def test_check_finds_the_fault(
    put_back: Patch, histories: list[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fast_following():
        assert [play(history) for history in histories] == [[] for _ in histories]
        put_back(monkeypatch)
        assert any(play(history) for history in histories)
