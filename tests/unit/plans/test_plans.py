"""Plans in courtside.toml: parsing, error messages, templates and selection."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from graphlib import TopologicalSorter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.errors import ConfigError
from host.plans.default_plan import get_default_plans
from host.plans.parser import PlanError, parse_plan, parse_plans
from host.plans.plan import Plan, Planner, Step
from host.plans.selection import UnknownPlan, choose_plan
from tests.support.stack import SEED_AGENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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


def no_planner(name: str) -> Planner:
    raise ConfigError(f"is {name!r}, and there are no planners here")


def parse(text: str) -> dict[str, Plan]:
    return parse_plans(tomllib.loads(text)["plans"], SEED_AGENTS, no_planner)


def parse_error(text: str) -> PlanError:
    with pytest.raises(PlanError) as refused:
        parse(text)
    return refused.value


def plan_named(key: str, *examples: str, name: str = "") -> dict[str, Plan]:
    return {key: Plan(key, name or key, "", examples, {"one": Step("one", "carly")})}


def waves(order: TopologicalSorter[str]) -> list[set[str]]:
    """The steps that can run at the same time, in order."""
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

        assert waves(order) == [{"calendar", "weather", "venue"}, {"notify"}]

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
            ("message = 'a } b'", "message", "written {{ or }}"),
            ("message = 'a { b'", "message", "written {{ or }}"),
            ("message = '{request'", "message", "written {{ or }}"),
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

    def test_too_many_steps_are_rejected(self) -> None:
        steps = {f"s{n}": {"agent": "carly"} for n in range(51)}

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


GAME = plan_named("game", "Schedule a game tomorrow", "Find a court for us")
RAIN = plan_named("rain", "Will it rain tomorrow?", name="Ask for the weather")
BOTH = {**GAME, **RAIN}


class TestChoosePlan:
    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("Schedule a game tomorrow", "game"),
            ("schedule a GAME", "game"),
            ("How is the weather tomorrow", "rain"),
            ("rain?", "rain"),
            ("Is there a court?", "game"),
            ("tomorrow", "game"),
            ("Grüezi", "game"),
            ("", "game"),
        ],
    )
    def test_most_similar_plan_is_chosen(self, text: str, key: str) -> None:
        assert choose_plan(BOTH, text).key == key

    def test_first_plan_is_chosen_without_similar_words(self) -> None:
        assert choose_plan({**RAIN, **GAME}, "Hello").key == "rain"

    def test_plan_named_in_the_message_is_chosen(self) -> None:
        assert choose_plan(BOTH, "Schedule a game", "rain").key == "rain"

    def test_exact_example_wins(self) -> None:
        longer = plan_named("dinner", "Schedule a game and a dinner")
        exact = plan_named("game", "Schedule a game")

        assert choose_plan({**longer, **exact}, " schedule a game ").key == "game"

    def test_words_of_the_key_count(self) -> None:
        found = {**GAME, **plan_named("book_flight")}

        assert choose_plan(found, "a flight").key == "book_flight"

    def test_common_words_count_less(self) -> None:
        found = {
            **plan_named("a", "Please do tell me of this"),
            **plan_named("b", "Please do tell me of that"),
            **plan_named("c", "tennis"),
        }

        assert choose_plan(found, "Please tell of tennis").key == "c"

    def test_unknown_key_error_lists_the_plans(self) -> None:
        with pytest.raises(UnknownPlan, match="no plan 'chess': use one of game, rain"):
            choose_plan(BOTH, "Schedule a game", "chess")

    @pytest.mark.parametrize("skill_id", [None, "game"])
    def test_choice_without_plans_is_an_error(self, skill_id: str | None) -> None:
        with pytest.raises(UnknownPlan, match="no plans"):
            choose_plan({}, "Schedule a game", skill_id)

    @given(st.text(), st.permutations(["game", "rain"]))
    def test_choice_is_always_one_of_the_plans(
        self, text: str, order: list[str]
    ) -> None:
        found = {key: BOTH[key] for key in order}

        assert choose_plan(found, text) in found.values()


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
