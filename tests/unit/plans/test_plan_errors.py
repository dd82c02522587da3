"""Tests that errors in plans name the wrong key.

host/plans/parser.py.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.plans.parser import PlanError, parse_plan, parse_plans
from tests.support.stack import SEED_AGENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib
from tests.support.plan_parsing import no_planner, parse_error

TWO = """
[plans.game.steps.calendar]
agent = "carly"
[plans.game.steps.notify]
agent = "nancy"
needs = ["calendar"]
message = "{request}: {calendar}"
"""


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "key", "why"),
        [
            ("plans = 1", "plans", "must be a table"),
            ("plans.game = 'a'", "plans.game", "must be a table"),
            ("[plans.Game]", "plans", "'Game', which is not a valid key"),
            ("[plans.'a.b']", "plans", "'a.b', which is not a valid key"),
            ("[plans.game]", "plans.game", "has no steps"),
            ("[plans.game.steps]", "plans.game", "has no steps"),
            ("[[plans.game.steps]]", "plans.game.steps", "must be a table"),
            ("plans.game.stepz.a.agent = 'carly'", "plans.game.stepz", "is unknown"),
            ("plans.game.planner = 'a:b'", "plans.game.planner", "no planners here"),
            ("plans.game.planner = 1", "plans.game.planner", "the name of a function"),
            ("plans.game.steps.a = 1", "plans.game.steps.a", "must be a table"),
            (
                "plans.game.steps.A = {}",
                "plans.game.steps",
                "'A', which is not a valid key",
            ),
            (
                "plans.game.steps.request.agent = 'carly'",
                "plans.game.steps.request",
                "is a reserved name",
            ),
            ("plans.game.steps.a = {}", "plans.game.steps.a", "an agent or a skill"),
        ],
    )
    def test_error_names_the_key(self, text: str, key: str, why: str) -> None:
        refused = parse_error(text)

        assert refused.key == key
        assert why in refused.why
        assert str(refused) == f"{key} {refused.why}"

    @pytest.mark.parametrize(
        ("text", "key", "why"),
        [
            ("name = ''", "name", "text of 1 to 200"),
            ("name = 3", "name", "is 3"),
            (f"name = '{'a' * 201}'", "name", "1 to 200 characters"),
            ("description = ' '", "description", "not only spaces"),
            ("examples = 'Play'", "examples", "a list of texts"),
            ("examples = ['']", "examples", "not blank"),
            ("planner = 'a:b'", "planner", "cannot be used together with steps"),
        ],
    )
    def test_error_in_a_plan_names_the_key(self, text: str, key: str, why: str) -> None:
        refused = parse_error(f"[plans.game]\n{text}\nsteps.a.agent = 'carly'")

        assert refused.key == f"plans.game.{key}"
        assert why in refused.why

    @pytest.mark.parametrize(
        ("text", "key", "why"),
        [
            ("agent = 'karly'", "agent", "use carly, walter, logan, nancy"),
            ("agent = 'host'", "agent", "not a known agent"),
            ("agent = ['carly']", "agent", "use text of 1 to"),
            ("skill = ''", "skill", "not only spaces"),
            ("retry = 1", "retry", "is unknown: use agent, skill"),
            ("needs = 'first'", "needs", "a list of texts"),
            ("needs = [1]", "needs", "is [1]: use a list of texts"),
            ("needs = ['thrid']", "needs", "'thrid', which is not a step"),
            ("needs = ['second']", "needs", "a cycle: second needs second"),
            ("message = ''", "message", "use text of 1 to"),
            ("message = 1", "message", "is 1: use text"),
            (f"message = '{'a' * 10_001}'", "message", "1 to 10000 characters"),
            ("message = '{first}'", "message", "nor a step in needs"),
            ("message = '{unknown}'", "message", "nor a step in needs"),
            ("message = '{ request }'", "message", "nor a step in needs"),
            ("message = '{}'", "message", "has {}, which is neither {request}"),
            ("message = '{0}'", "message", "has {0}, which is neither {request}"),
            ("message = '{request.__class__}'", "message", "use {request} alone"),
            ("message = '{request[0]}'", "message", "use {request} alone"),
            ("message = '{request!r}'", "message", "use {request} alone"),
            ("message = '{request:>9}'", "message", "use {request} alone"),
            ("message = '{request:{first}}'", "message", "use {request} alone"),
            ("message = 'a } b'", "message", "brace as {{ or }}"),
            ("message = 'a { b'", "message", "brace as {{ or }}"),
            ("message = '{request'", "message", "brace as {{ or }}"),
            ("timeout_s = 0", "timeout_s", "is 0: use seconds"),
            ("timeout_s = -1", "timeout_s", "use seconds"),
            ("timeout_s = 86401", "timeout_s", "up to 86400"),
            ("timeout_s = nan", "timeout_s", "is nan"),
            ("timeout_s = inf", "timeout_s", "is inf"),
            ("timeout_s = true", "timeout_s", "is True"),
            ("timeout_s = '5'", "timeout_s", "is '5'"),
            ("retries = -1", "retries", "0 to 10"),
            ("retries = 11", "retries", "0 to 10"),
            ("retries = 1.5", "retries", "whole number"),
            ("retries = nan", "retries", "whole number"),
            ("retries = false", "retries", "is False"),
            ("on_failure = 'stop'", "on_failure", "use fail, skip or ask"),
            ("on_failure = []", "on_failure", "use fail, skip or ask"),
        ],
    )
    def test_error_in_a_step_names_the_key(self, text: str, key: str, why: str) -> None:
        who = "" if text.startswith("agent") else "agent = 'carly'"
        refused = parse_error(f"""
            [plans.game.steps.first]
            skill = "calendar_check"
            [plans.game.steps.second]
            {who}
            {text}
            """)

        assert refused.key == f"plans.game.steps.second.{key}"
        assert why in refused.why

    def test_cycle_error_lists_the_whole_cycle(self) -> None:
        refused = parse_error("""
            [plans.game.steps]
            before = { agent = "carly" }
            a = { agent = "carly", needs = ["before", "b"] }
            b = { agent = "carly", needs = ["c"] }
            c = { agent = "carly", needs = ["a"] }
            """)

        names = refused.why.removeprefix("is part of a cycle: ").split(" needs ")
        assert refused.key == f"plans.game.steps.{names[0]}.needs"
        assert names[0] == names[-1]
        assert "".join(names[:3]) in ("abc", "bca", "cab")

    def test_largest_values_are_accepted(self) -> None:
        step = {"agent": "carly", "timeout_s": 86_400, "retries": 10}
        step["message"] = "a" * 10_000

        plan = parse_plan("game", {"name": "a" * 200, "steps": {"first": step}})

        assert plan.steps["first"].timeout_s == 86_400
        assert plan.steps["first"].retries == 10

    def test_too_many_steps_are_rejected(self) -> None:
        steps = {f"s{n}": {"agent": "carly"} for n in range(51)}
        largest = dict(list(steps.items())[:50])

        assert len(parse_plan("game", {"steps": largest}).steps) == 50
        with pytest.raises(PlanError, match="51 steps: use at most 50"):
            parse_plan("game", {"steps": steps})

    @settings(derandomize=True, deadline=None)
    @given(st.data())
    def test_any_wrong_value_is_a_plan_error(self, data: st.DataObject) -> None:
        """Put any value at any place of a valid plan."""
        table: Any = deepcopy(tomllib.loads(TWO)["plans"])
        place = table
        while True:
            key = data.draw(st.sampled_from([*place, "new"]))
            if not isinstance(place.get(key), dict) or data.draw(st.booleans()):
                break
            place = place[key]
        place[key] = data.draw(ANY_VALUE)

        try:
            found = parse_plans(table, SEED_AGENTS, no_planner)
        except PlanError as refused:
            assert refused.key.startswith("plans")
            assert len(str(refused)) < 1000
        else:
            assert all(plan.steps for plan in found.values())


ANY_VALUE: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)
