"""Planners: imported at the start, asked when a plan runs, and never trusted.

host/plans/planners.py, with modules that lie in a folder of the test's own.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from host.errors import ConfigError
from host.plans.parser import read_plans
from host.plans.plan import Plan, Planner, Step
from host.plans.planners import PlannerFailed, load, made

CARDS = {"carly": {"skills": [{"id": "calendar_check"}]}, "nancy": {}}
STEPS = {"steps": {"calendar": {"agent": "carly"}}}
DAY_S = 86400.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where planners lie; what was imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def written(folder: Path, text: str, module: str = "courtside_planner") -> None:
    (folder / f"{module}.py").write_text(text, encoding="utf-8")


def plan(call: Callable[..., object]) -> Plan:
    return Plan("game", "Game", "Plays.", ("Play",), planner=Planner("my:own", call))


class TestLoading:
    def test_finds_a_module_in_the_folder_of_the_settings(self, folder: Path) -> None:
        written(folder, "def plan(request, agents): return {'said': request}")

        found = load("courtside_planner:plan", folder)

        assert found.name == "courtside_planner:plan"
        assert found.call("hi", {}) == {"said": "hi"}

    def test_finds_what_lies_deeper(self, folder: Path) -> None:
        (folder / "courtside_deep").mkdir()
        written(folder / "courtside_deep", "class A:\n def b(*_): return 1", "inner")

        assert load("courtside_deep.inner:A.b", folder).call("", {}) == 1

    def test_prefers_the_modules_of_python_to_those_of_the_folder(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written(folder, "def merge(*_): ...", "heapq")
        monkeypatch.delitem(sys.modules, "heapq")

        assert load("heapq:merge", folder).call is not None
        assert str(folder) not in str(sys.modules["heapq"].__file__)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("my_module", 'name a function, "my_module:my_function"'),
            (":plan", "name a function"),
            ("..a:plan", "name a function"),
            ("a b:plan", "name a function"),
            ("a:b:c", "name a function"),
            ("courtside_nowhere:plan", "ModuleNotFoundError: No module named"),
            ("courtside_planner:plans", "AttributeError: "),
            ("courtside_planner:number", "no function of two arguments"),
            ("courtside_planner:alone", "no function of two arguments"),
            ("courtside_planner:greedy", "no function of two arguments"),
        ],
    )
    def test_that_finds_nothing_says_what_was_looked_for(
        self, folder: Path, name: str, why: str
    ) -> None:
        written(
            folder,
            "number = 3\n"
            "def alone(request): ...\n"
            "def greedy(request, agents, *, more): ...\n",
        )

        with pytest.raises(ConfigError) as refused:
            load(name, folder)

        assert str(refused.value).startswith(f"is {name!r}")
        assert why in str(refused.value)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("def plan(:", "SyntaxError: "),
            ("raise ValueError('no key')", "ValueError: no key"),
            ("import sys; sys.exit(3)", "SystemExit: 3"),
        ],
    )
    def test_of_a_broken_module_says_how_it_broke_and_logs_where(
        self, folder: Path, text: str, why: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        written(folder, text)

        with pytest.raises(ConfigError) as refused:
            load("courtside_planner:plan", folder)

        assert f"cannot be imported: {why}" in str(refused.value)
        assert "planner=courtside_planner:plan loading=failed" in caplog.text

    def test_is_done_when_the_settings_are_read(self, folder: Path) -> None:
        written(folder, "async def plan(request, agents): ...")

        found = read_plans(
            {"game": {"planner": "courtside_planner:plan"}},
            (),
            lambda name: load(name, folder),
        )["game"]

        assert found.planner is not None
        assert found.planner.call.__name__ == "plan"
        assert found.description == "courtside_planner:plan says what is done."
        assert not found.steps


class TestMaking:
    async def test_of_a_plan_with_steps_leaves_it_as_it_is(self) -> None:
        known = Plan("game", "Game", steps={"a": Step("a", "gone")})

        assert await made(known, "Play", CARDS) is known

    async def test_asks_the_planner_for_steps(self) -> None:
        seen = []

        def planner(request: str, agents: object) -> object:
            seen.append((request, agents))
            return STEPS

        found = await made(plan(planner), "Play", CARDS)

        assert seen == [("Play", CARDS)]
        assert found == Plan(
            *("game", "Game", "Plays.", ("Play",)),
            {"calendar": Step("calendar", "carly")},
        )

    async def test_waits_for_a_coroutine(self) -> None:
        async def planner(request: str, agents: object) -> object:
            await anyio.lowlevel.checkpoint()
            return STEPS | {"name": request}

        assert (await made(plan(planner), "Tennis", CARDS)).name == "Tennis"

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (None, "plan must be a table"),
            ("calendar", "plan must be a table"),
            ({}, "plan has no steps"),
            ({"steps": {1: {}}}, "plan.steps holds 1, which is no key"),
            ({"planner": "a:b"}, "plan.planner is unknown"),
            ({"steps": {"a": {"agent": "zoe"}}}, "plan.steps.a.agent is 'zoe'"),
            (
                {"steps": {"a": {"agent": "carly", "message": "{b}"}}},
                "plan.steps.a.message has {b}",
            ),
        ],
    )
    async def test_says_which_key_of_the_answer_is_wrong(
        self, answer: object, why: str
    ) -> None:
        with pytest.raises(PlannerFailed) as refused:
            await made(plan(lambda *_: answer), "Play", CARDS)

        assert "the planner my:own made a plan that cannot be used: " in str(
            refused.value
        )
        assert why in str(refused.value)

    @pytest.mark.parametrize(
        "error", [ValueError("no key"), SystemExit(3), StopIteration(3), TimeoutError()]
    )
    @pytest.mark.parametrize("in_a_coroutine", [False, True])
    async def test_says_how_a_planner_broke_and_logs_where(
        self,
        error: BaseException,
        in_a_coroutine: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def planner(request: str, agents: object) -> object:
            raise error

        async def coroutine(request: str, agents: object) -> object:
            raise error

        with pytest.raises(PlannerFailed, match="the planner my:own broke: ") as broke:
            await made(plan(coroutine if in_a_coroutine else planner), "", CARDS)

        assert type(error).__name__ in str(broke.value)
        assert "planner=my:own planning=failed" in caplog.text

    async def test_gives_up_on_a_planner_that_hangs(self) -> None:
        for_ever = threading.Event()
        begun = threading.Event()

        def planner(request: str, agents: object) -> object:
            begun.set()
            for_ever.wait(DAY_S)
            return STEPS

        with pytest.raises(PlannerFailed, match=r"my:own made no plan within 0\.05 s"):
            await made(plan(planner), "Play", CARDS, timeout_s=0.05)

        assert begun.is_set()
        # The host can end all the same.
        thread = next(t for t in threading.enumerate() if t.name == "planner")
        assert thread.daemon
        for_ever.set()
        thread.join()

    async def test_gives_up_on_a_coroutine_that_hangs(self) -> None:
        ended = anyio.Event()

        async def planner(request: str, agents: object) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

        with pytest.raises(PlannerFailed, match="made no plan within"):
            await made(plan(planner), "Play", CARDS, timeout_s=0.05)

        assert ended.is_set()

    async def test_can_be_cancelled(self) -> None:
        for_ever = threading.Event()
        begun = threading.Event()

        def planner(request: str, agents: object) -> None:
            begun.set()
            for_ever.wait(DAY_S)

        asking = asyncio.ensure_future(made(plan(planner), "Play", CARDS))
        await anyio.to_thread.run_sync(begun.wait)
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        for_ever.set()
