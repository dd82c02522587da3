"""Planners: how they are imported and called, and how their errors are reported."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from host.errors import ConfigError
from host.plans.parser import parse_plans
from host.plans.plan import Plan, Planner, Step
from host.plans.planners import PlannerFailed, ensure_steps, load_planner

CARDS = {"carly": {"skills": [{"id": "calendar_check"}]}, "nancy": {}}
STEPS = {"steps": {"calendar": {"agent": "carly"}}}
DAY_S = 86400.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for planner modules, which are unloaded after the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write_module(folder: Path, text: str, module: str = "courtside_planner") -> None:
    (folder / f"{module}.py").write_text(text, encoding="utf-8")


def plan_with(call: Callable[..., object]) -> Plan:
    return Plan("game", "Game", "Plays.", ("Play",), planner=Planner("my:own", call))


class TestLoading:
    def test_module_beside_the_settings_is_found(self, folder: Path) -> None:
        write_module(folder, "def plan(request, agents): return {'said': request}")

        found = load_planner("courtside_planner:plan", folder)

        assert found.name == "courtside_planner:plan"
        assert found.call("hi", {}) == {"said": "hi"}

    def test_submodules_and_attributes_are_found(self, folder: Path) -> None:
        (folder / "courtside_deep").mkdir()
        write_module(
            folder / "courtside_deep", "class A:\n def b(*_): return 1", "inner"
        )

        assert load_planner("courtside_deep.inner:A.b", folder).call("", {}) == 1

    def test_installed_modules_win_over_the_folder(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_module(folder, "def merge(*_): ...", "heapq")
        monkeypatch.delitem(sys.modules, "heapq")

        assert load_planner("heapq:merge", folder).call is not None
        assert str(folder) not in str(sys.modules["heapq"].__file__)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("my_module", 'use the form "my_module:my_function"'),
            (":plan", "use the form"),
            ("..a:plan", "use the form"),
            ("a b:plan", "use the form"),
            ("a:b:c", "use the form"),
            ("courtside_nowhere:plan", "ModuleNotFoundError: No module named"),
            ("courtside_planner:plans", "AttributeError: "),
            ("courtside_planner:number", "not a function of two arguments"),
            ("courtside_planner:alone", "not a function of two arguments"),
            ("courtside_planner:greedy", "not a function of two arguments"),
        ],
    )
    def test_error_names_the_planner_and_the_reason(
        self, folder: Path, name: str, why: str
    ) -> None:
        write_module(
            folder,
            "number = 3\n"
            "def alone(request): ...\n"
            "def greedy(request, agents, *, more): ...\n",
        )

        with pytest.raises(ConfigError) as refused:
            load_planner(name, folder)

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
    def test_error_in_the_module_is_reported_and_logged(
        self, folder: Path, text: str, why: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        write_module(folder, text)

        with pytest.raises(ConfigError) as refused:
            load_planner("courtside_planner:plan", folder)

        assert f"cannot be imported: {why}" in str(refused.value)
        assert "planner=courtside_planner:plan loading=failed" in caplog.text

    def test_planner_is_loaded_when_plans_are_parsed(self, folder: Path) -> None:
        write_module(folder, "async def plan(request, agents): ...")

        found = parse_plans(
            {"game": {"planner": "courtside_planner:plan"}},
            (),
            partial(load_planner, folder=folder),
        )["game"]

        assert found.planner is not None
        assert found.planner.call.__name__ == "plan"
        assert found.description == "courtside_planner:plan chooses the steps."
        assert not found.steps


class TestEnsureSteps:
    async def test_plan_with_steps_is_returned_unchanged(self) -> None:
        known = Plan("game", "Game", steps={"a": Step("a", "gone")})

        assert await ensure_steps(known, "Play", CARDS) is known

    async def test_planner_creates_the_steps(self) -> None:
        seen = []

        def planner(request: str, agents: object) -> object:
            seen.append((request, agents))
            return STEPS

        found = await ensure_steps(plan_with(planner), "Play", CARDS)

        assert seen == [("Play", CARDS)]
        assert found == Plan(
            key="game",
            name="Game",
            description="Plays.",
            examples=("Play",),
            steps={"calendar": Step("calendar", "carly")},
        )

    async def test_planner_may_be_async(self) -> None:
        async def planner(request: str, agents: object) -> object:
            await anyio.lowlevel.checkpoint()
            return STEPS | {"name": request}

        assert (
            await ensure_steps(plan_with(planner), "Tennis", CARDS)
        ).name == "Tennis"

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (None, "plan must be a table"),
            ("calendar", "plan must be a table"),
            ({}, "plan has no steps"),
            ({"steps": {1: {}}}, "plan.steps has 1, which is not a valid key"),
            ({"planner": "a:b"}, "plan.planner is unknown"),
            ({"steps": {"a": {"agent": "zoe"}}}, "plan.steps.a.agent is 'zoe'"),
            (
                {"steps": {"a": {"agent": "carly", "message": "{b}"}}},
                "plan.steps.a.message has {b}",
            ),
        ],
    )
    async def test_error_names_the_wrong_key_of_the_plan(
        self, answer: object, why: str
    ) -> None:
        with pytest.raises(PlannerFailed) as refused:
            await ensure_steps(plan_with(lambda *_: answer), "Play", CARDS)

        assert "the planner my:own returned an invalid plan: " in str(refused.value)
        assert why in str(refused.value)

    @pytest.mark.parametrize(
        "error", [ValueError("no key"), SystemExit(3), StopIteration(3), TimeoutError()]
    )
    @pytest.mark.parametrize("in_a_coroutine", [False, True])
    async def test_error_in_the_planner_is_reported_and_logged(
        self,
        error: BaseException,
        in_a_coroutine: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def planner(request: str, agents: object) -> object:
            raise error

        async def coroutine(request: str, agents: object) -> object:
            raise error

        failing = plan_with(coroutine if in_a_coroutine else planner)
        with pytest.raises(PlannerFailed, match="planner my:own failed: ") as failed:
            await ensure_steps(failing, "", CARDS)

        assert type(error).__name__ in str(failed.value)
        assert "planner=my:own planning=failed" in caplog.text

    async def test_hanging_planner_times_out(self) -> None:
        release = threading.Event()
        begun = threading.Event()

        def planner(request: str, agents: object) -> object:
            begun.set()
            release.wait(DAY_S)
            return STEPS

        with pytest.raises(
            PlannerFailed, match=r"my:own returned no plan within 0\.05 s"
        ):
            await ensure_steps(plan_with(planner), "Play", CARDS, timeout_s=0.05)

        assert begun.is_set()
        # A daemon thread does not keep the host from ending.
        thread = next(t for t in threading.enumerate() if t.name == "planner")
        assert thread.daemon
        release.set()
        thread.join()

    async def test_hanging_async_planner_times_out(self) -> None:
        ended = anyio.Event()

        async def planner(request: str, agents: object) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

        with pytest.raises(PlannerFailed, match="returned no plan within"):
            await ensure_steps(plan_with(planner), "Play", CARDS, timeout_s=0.05)

        assert ended.is_set()

    async def test_call_can_be_cancelled(self) -> None:
        release = threading.Event()
        begun = threading.Event()

        def planner(request: str, agents: object) -> None:
            begun.set()
            release.wait(DAY_S)

        asking = asyncio.ensure_future(ensure_steps(plan_with(planner), "Play", CARDS))
        await anyio.to_thread.run_sync(begun.wait)
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        release.set()
