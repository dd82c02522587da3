"""Tests which plans host/config/load.py reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from host.config.load import read, read_agents
from host.plans.default_plan import get_default_plans
from host.plans.plan import Step
from tests.support.settings_files import write_file
from tests.support.stack import AGENTS

PLAN = (
    "[plans.ask]\nexamples = ['Ask everyone']\n[plans.ask.steps.one]\nagent = 'zoe'\n"
)
ZOE = "[agents.zoe]\nurl = 'http://127.0.0.1:9'\n"


class TestPlans:
    def test_exist_by_default_for_the_default_agents(self, tmp_path: Path) -> None:
        assert read({}, {}, tmp_path).plans == get_default_plans(AGENTS)

    def test_do_not_exist_by_default_for_other_agents(self, tmp_path: Path) -> None:
        write_file(tmp_path, ZOE)

        assert read({}, {}, tmp_path).plans == {}

    def test_of_the_file_replace_the_default_plan(self, tmp_path: Path) -> None:
        write_file(tmp_path, ZOE + PLAN)

        plan = read({}, {}, tmp_path).plans["ask"]

        assert plan.examples == ("Ask everyone",)
        assert plan.steps == {"one": Step("one", "zoe")}

    def test_are_disabled_by_an_empty_table(self, tmp_path: Path) -> None:
        write_file(tmp_path, "[plans]\n")

        assert read({}, {}, tmp_path).plans == {}

    def test_can_use_the_default_agents(self, tmp_path: Path) -> None:
        write_file(tmp_path, PLAN.replace("zoe", "walter"))

        assert read({}, {}, tmp_path).plans["ask"].steps["one"].agent == "walter"

    def test_planner_is_imported_from_the_folder_of_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        monkeypatch.setattr("sys.path", [*sys.path])
        (folder / "beside_the_file.py").write_text("def make(request, agents): ...\n")
        (folder / "mine.toml").write_text(
            "[plans.p]\nplanner = 'beside_the_file:make'\n"
        )

        found = read({"config": "elsewhere/mine.toml"}, {}, tmp_path)

        planner = found.plans["p"].planner
        assert planner and planner.name == "beside_the_file:make"

    def test_are_not_checked_when_agents_are_reloaded(self, tmp_path: Path) -> None:
        path = write_file(tmp_path, ZOE + PLAN.replace("zoe", "gone"))

        assert list(read_agents(path, {})) == ["zoe"]
