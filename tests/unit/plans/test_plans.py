"""Tests of plans in courtside.toml: steps, message templates and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from graphlib import TopologicalSorter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.plans.default_plan import get_default_plans
from host.plans.parser import PlanError, parse_plan
from host.plans.plan import Plan, Step
from tests.support.plan_parsing import parse
from tests.support.stack import SEED_AGENTS

TWO = """
[plans.game.steps.calendar]
agent = "carly"
[plans.game.steps.notify]
agent = "nancy"
needs = ["calendar"]
message = "{request}: {calendar}"
"""
KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
WORDS = st.text(min_size=1).filter(str.strip)


def group_by_start(order: TopologicalSorter[str]) -> list[set[str]]:
    """Return the groups of steps that can start at the same time, in order."""
    order.prepare()
    found = []
    while ready := order.get_ready():
        found.append(set(ready))
        order.done(*ready)
    return found


class TestPlan:
    def test_one_step_with_an_agent_is_enough(self) -> None:
        assert parse("[plans.game.steps.calendar]\nagent = 'carly'") == {
            "game": Plan(
                key="game",
                name="game",
                description="Runs calendar.",
                examples=(),
                steps={
                    "calendar": Step(
                        key="calendar",
                        agent="carly",
                        skill=None,
                        message="{request}",
                        needs=(),
                        timeout_s=120,
                        retries=0,
                        on_failure="fail",
                    )
                },
                planner=None,
            )
        }

    def test_every_setting_is_read(self) -> None:
        found = parse("""
            [plans.game]
            name = "A game"
            description = "Finds one."
            examples = ["Find a game"]
            [plans.game.steps.first]
            skill = "calendar_check"
            [plans.game.steps.then]
            agent = "nancy"
            skill = "send_notification"
            needs = ["first"]
            message = "{{{first}}}"
            timeout_s = 0.5
            retries = 10
            on_failure = "ask"
            """)["game"]

        assert (found.name, found.description) == ("A game", "Finds one.")
        assert found.examples == ("Find a game",)
        assert found.steps["first"] == Step("first", None, "calendar_check")
        assert found.steps["then"] == Step(
            key="then",
            agent="nancy",
            skill="send_notification",
            message="{{{first}}}",
            needs=("first",),
            timeout_s=0.5,
            retries=10,
            on_failure="ask",
        )

    def test_independent_steps_run_at_the_same_time(self) -> None:
        order = get_default_plans(SEED_AGENTS)["schedule"].order()

        assert group_by_start(order) == [{"calendar", "weather", "venue"}, {"notify"}]

    def test_a_step_waits_for_all_its_needs(self) -> None:
        order = get_default_plans(SEED_AGENTS)["schedule"].order()
        order.prepare()
        order.get_ready()
        order.done("calendar", "weather")

        assert not order.get_ready()
        order.done("venue")
        assert order.get_ready() == ("notify",)

    def test_plans_keep_the_order_of_the_file(self) -> None:
        text = "".join(f"[plans.{key}.steps.a]\nagent='carly'\n" for key in "zay")

        assert list(parse(text)) == ["z", "a", "y"]

    def test_plan_is_immutable(self) -> None:
        with pytest.raises(AttributeError):
            parse(TWO)["game"].steps["notify"].retries = 3  # type: ignore[misc]


class TestMessage:
    def test_fields_are_the_request_and_results(self) -> None:
        step = parse(TWO)["game"].steps["notify"]

        assert step.render("Play", {"calendar": "at six"}) == "Play: at six"

    def test_doubled_braces_become_braces(self) -> None:
        assert Step("a", message="{{{request}}} {{}}").render("x", {}) == "{x} {}"

    def test_result_of_a_skipped_step_is_empty(self) -> None:
        assert parse(TWO)["game"].steps["notify"].render("Play", {}) == "Play: "

    def test_request_field_is_the_request_not_a_result(self) -> None:
        assert Step("a").render("mine", {"request": "theirs"}) == "mine"

    @given(st.text(), st.text())
    def test_values_are_not_templates(self, request: str, result: str) -> None:
        step = Step("b", message="<{request}|{a}>", needs=("a",))

        assert step.render(request, {"a": result}) == f"<{request}|{result}>"

    @given(st.text())
    def test_any_text_works_with_doubled_braces(self, text: str) -> None:
        doubled = text.replace("{", "{{").replace("}", "}}")

        assert Step("a", message=doubled).render("", {}) == text


STEPS: st.SearchStrategy[dict[str, object]] = st.builds(
    dict,
    agent=st.sampled_from(SEED_AGENTS),
    skill=WORDS.map(lambda text: text[:9]).filter(str.strip),
    message=WORDS.map(lambda text: text.replace("{", "<").replace("}", ">")),
    timeout_s=st.floats(0.001, 86400),
    retries=st.integers(0, 10),
    on_failure=st.sampled_from(["fail", "skip", "ask"]),
)


class TestTable:
    @settings(deadline=None)
    @given(
        st.dictionaries(
            KEYS.filter(lambda key: key != "request"), STEPS, min_size=1, max_size=50
        )
    )
    def test_table_round_trips(self, steps: Mapping[str, Mapping[str, object]]) -> None:
        plan = parse_plan("game", {"steps": steps}, SEED_AGENTS)

        assert parse_plan("game", json.loads(json.dumps(plan.to_table()))) == plan

    def test_retries_may_be_a_float_from_protobuf(self) -> None:
        table = get_default_plans(SEED_AGENTS)["schedule"].to_table()
        table["steps"]["calendar"]["retries"] = 1.0

        assert (
            parse_plan("schedule", table) == get_default_plans(SEED_AGENTS)["schedule"]
        )

    def test_plan_without_description_round_trips(self) -> None:
        plan = Plan("a", "A", steps={"one": Step("one", skill="s")})

        assert parse_plan("a", plan.to_table()).steps == plan.steps

    def test_planner_is_not_allowed_without_a_loader(self) -> None:
        with pytest.raises(PlanError, match=r"plan\.planner is unknown"):
            parse_plan("a", {"planner": "a:b"})

    def test_any_agent_is_allowed_without_a_list(self) -> None:
        assert parse_plan("a", {"steps": {"b": {"agent": "zoe"}}}).steps["b"].agent


class TestDefaultPlan:
    def test_default_plan_exists_with_the_seed_agents(self) -> None:
        assert list(get_default_plans([*SEED_AGENTS, "zoe"])) == ["schedule"]

    @pytest.mark.parametrize("missing", SEED_AGENTS)
    def test_no_default_plan_if_an_agent_is_missing(self, missing: str) -> None:
        assert (
            get_default_plans([name for name in SEED_AGENTS if name != missing]) == {}
        )

    def test_step_that_sends_invitations_is_not_retried(self) -> None:
        assert get_default_plans(SEED_AGENTS)["schedule"].steps["notify"].retries == 0
