"""Plans: what courtside.toml may say of them, and which key is told when it is wrong.

host/plans/ without its planners; docs/plans.md is held to its word.
"""

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
from host.plans.default_plan import built_in
from host.plans.parser import PlanError, read_plan, read_plans
from host.plans.plan import Plan, Planner, Step
from host.plans.selection import UnknownPlan, choose
from tests.support.harness import SEED_AGENTS

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


def plans(text: str) -> dict[str, Plan]:
    return read_plans(tomllib.loads(text)["plans"], SEED_AGENTS, no_planner)


def wrong(text: str) -> PlanError:
    with pytest.raises(PlanError) as refused:
        plans(text)
    return refused.value


def called(key: str, *examples: str, name: str = "") -> dict[str, Plan]:
    return {key: Plan(key, name or key, "", examples, {"one": Step("one", "carly")})}


def waves(order: TopologicalSorter[str]) -> list[set[str]]:
    """What can run at once, wave after wave."""
    order.prepare()
    found = []
    while ready := order.get_ready():
        found.append(set(ready))
        order.done(*ready)
    return found


class TestAPlan:
    def test_needs_one_step_with_an_agent_only(self) -> None:
        assert plans("[plans.game.steps.calendar]\nagent = 'carly'") == {
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

    def test_may_say_everything(self) -> None:
        found = plans("""
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
            *("then", "nancy", "send_notification", "{{{first}}}"),
            *(("first",), 0.5, 10, "ask"),
        )

    def test_runs_at_once_what_does_not_need_each_other(self) -> None:
        order = built_in(SEED_AGENTS)["schedule"].order()

        assert waves(order) == [{"calendar", "weather", "venue"}, {"notify"}]

    def test_that_is_done_in_part_goes_on_with_the_rest(self) -> None:
        order = built_in(SEED_AGENTS)["schedule"].order()
        order.prepare()
        order.get_ready()
        order.done("calendar", "weather")

        assert not order.get_ready()
        order.done("venue")
        assert order.get_ready() == ("notify",)

    def test_keeps_the_order_of_the_file(self) -> None:
        text = "".join(f"[plans.{key}.steps.a]\nagent='carly'\n" for key in "zay")

        assert list(plans(text)) == ["z", "a", "y"]

    def test_cannot_be_changed_afterwards(self) -> None:
        with pytest.raises(AttributeError):
            plans(TWO)["game"].steps["notify"].retries = 3  # type: ignore[misc]


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("text", "key", "why"),
        [
            ("plans = 1", "plans", "must be a table"),
            ("plans.game = 'a'", "plans.game", "must be a table"),
            ("[plans.Game]", "plans", "'Game', which is no key"),
            ("[plans.'a.b']", "plans", "'a.b', which is no key"),
            ("[plans.game]", "plans.game", "has no steps"),
            ("[plans.game.steps]", "plans.game", "has no steps"),
            ("[[plans.game.steps]]", "plans.game.steps", "must be a table"),
            ("plans.game.stepz.a.agent = 'carly'", "plans.game.stepz", "is unknown"),
            ("plans.game.planner = 'a:b'", "plans.game.planner", "no planners here"),
            ("plans.game.planner = 1", "plans.game.planner", "use text"),
            ("plans.game.steps.a = 1", "plans.game.steps.a", "must be a table"),
            ("plans.game.steps.A = {}", "plans.game.steps", "'A', which is no key"),
            (
                "plans.game.steps.request.agent = 'carly'",
                "plans.game.steps.request",
                "is what was asked for",
            ),
            ("plans.game.steps.a = {}", "plans.game.steps.a", "an agent or a skill"),
        ],
    )
    def test_is_told_by_its_key(self, text: str, key: str, why: str) -> None:
        refused = wrong(text)

        assert refused.key == key
        assert why in refused.why
        assert str(refused) == f"{key} {refused.why}"

    @pytest.mark.parametrize(
        ("text", "key", "why"),
        [
            ("name = ''", "name", "not blank"),
            ("name = 3", "name", "is 3"),
            (f"name = '{'a' * 201}'", "name", "201 characters"),
            ("description = ' '", "description", "not blank"),
            ("examples = 'Play'", "examples", "a list of texts"),
            ("examples = ['']", "examples", "not blank"),
            ("planner = 'a:b'", "planner", "leave one of both out"),
        ],
    )
    def test_with_a_plan_is_told_by_its_key(
        self, text: str, key: str, why: str
    ) -> None:
        refused = wrong(f"[plans.game]\n{text}\nsteps.a.agent = 'carly'")

        assert refused.key == f"plans.game.{key}"
        assert why in refused.why

    @pytest.mark.parametrize(
        ("text", "key", "why"),
        [
            ("agent = 'karly'", "agent", "use carly, walter, logan, nancy"),
            ("agent = 'host'", "agent", "no agent"),
            ("agent = ['carly']", "agent", "use text"),
            ("skill = ''", "skill", "not blank"),
            ("retry = 1", "retry", "is unknown: use agent, skill"),
            ("needs = 'first'", "needs", "a list of texts"),
            ("needs = [1]", "needs", "use text"),
            ("needs = ['thrid']", "needs", "'thrid', which is no step"),
            ("needs = ['second']", "needs", "cannot need itself"),
            ("message = ''", "message", "not blank"),
            ("message = 1", "message", "use text"),
            (f"message = '{'a' * 10_001}'", "message", "10001 characters"),
            ("message = '{first}'", "message", "nor a step in needs"),
            ("message = '{unknown}'", "message", "nor a step in needs"),
            ("message = '{ request }'", "message", "nor a step in needs"),
            ("message = '{}'", "message", "names nothing"),
            ("message = '{0}'", "message", "names nothing"),
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
            ("on_failure = 'stop'", "on_failure", "use fail, skip, ask"),
            ("on_failure = []", "on_failure", "use fail, skip, ask"),
        ],
    )
    def test_with_a_step_is_told_by_its_key(
        self, text: str, key: str, why: str
    ) -> None:
        who = "" if text.startswith("agent") else "agent = 'carly'"
        refused = wrong(f"""
            [plans.game.steps.first]
            skill = "calendar_check"
            [plans.game.steps.second]
            {who}
            {text}
            """)

        assert refused.key == f"plans.game.steps.second.{key}"
        assert why in refused.why

    def test_with_a_circle_is_told_all_round(self) -> None:
        refused = wrong("""
            [plans.game.steps]
            before = { agent = "carly" }
            a = { agent = "carly", needs = ["before", "b"] }
            b = { agent = "carly", needs = ["c"] }
            c = { agent = "carly", needs = ["a"] }
            """)

        names = refused.why.removeprefix("goes round in a circle: ").split(" needs ")
        assert refused.key == f"plans.game.steps.{names[0]}.needs"
        assert names[0] == names[-1]
        assert "".join(names[:3]) in ("abc", "bca", "cab")

    def test_with_too_many_steps_is_told(self) -> None:
        steps = {f"s{n}": {"agent": "carly"} for n in range(51)}

        with pytest.raises(PlanError, match="51 steps: use 50 at most"):
            read_plan("game", {"steps": steps})

    @settings(derandomize=True, deadline=None)
    @given(st.data())
    def test_is_a_plan_error_whatever_it_is(self, data: st.DataObject) -> None:
        """Any value at any place of a good plan."""
        table: Any = deepcopy(tomllib.loads(TWO)["plans"])
        place = table
        while True:
            key = data.draw(st.sampled_from([*place, "new"]))
            if not isinstance(place.get(key), dict) or data.draw(st.booleans()):
                break
            place = place[key]
        place[key] = data.draw(ODD)

        try:
            found = read_plans(table, SEED_AGENTS, no_planner)
        except PlanError as refused:
            assert refused.key.startswith("plans")
            assert len(str(refused)) < 1000
        else:
            assert all(plan.steps for plan in found.values())


ODD: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)


class TestAMessage:
    def test_tells_the_request_and_what_was_found(self) -> None:
        step = plans(TWO)["game"].steps["notify"]

        assert step.render("Play", {"calendar": "at six"}) == "Play: at six"

    def test_has_braces_where_they_are_doubled(self) -> None:
        assert Step("a", message="{{{request}}} {{}}").render("x", {}) == "{x} {}"

    def test_is_empty_where_a_step_was_skipped(self) -> None:
        assert plans(TWO)["game"].steps["notify"].render("Play", {}) == "Play: "

    def test_holds_the_request_itself_not_a_result_of_that_name(self) -> None:
        assert Step("a").render("mine", {"request": "theirs"}) == "mine"

    @given(st.text(), st.text())
    def test_holds_what_others_said_as_it_is(self, request: str, result: str) -> None:
        step = Step("b", message="<{request}|{a}>", needs=("a",))

        assert step.render(request, {"a": result}) == f"<{request}|{result}>"

    @given(st.text())
    def test_can_be_any_text(self, text: str) -> None:
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


class TestATable:
    @settings(deadline=None)
    @given(
        st.dictionaries(
            KEYS.filter(lambda key: key != "request"), STEPS, min_size=1, max_size=50
        )
    )
    def test_is_read_as_the_plan_that_it_was_made_of(
        self, steps: Mapping[str, Mapping[str, object]]
    ) -> None:
        plan = read_plan("game", {"steps": steps}, SEED_AGENTS)

        assert read_plan("game", json.loads(json.dumps(plan.table()))) == plan

    def test_may_have_been_through_protobuf(self) -> None:
        table = built_in(SEED_AGENTS)["schedule"].table()
        table["steps"]["calendar"]["retries"] = 1.0

        assert read_plan("schedule", table) == built_in(SEED_AGENTS)["schedule"]

    def test_of_a_plan_with_nothing_to_say_can_be_read(self) -> None:
        plan = Plan("a", "A", steps={"one": Step("one", skill="s")})

        assert read_plan("a", plan.table()).steps == plan.steps

    def test_names_no_planner(self) -> None:
        with pytest.raises(PlanError, match=r"plan\.planner is unknown"):
            read_plan("a", {"planner": "a:b"})

    def test_may_name_an_agent_that_has_gone(self) -> None:
        assert read_plan("a", {"steps": {"b": {"agent": "zoe"}}}).steps["b"].agent


GAME = called("game", "Schedule a game tomorrow", "Find a court for us")
RAIN = called("rain", "Will it rain tomorrow?", name="Ask for the weather")
BOTH = {**GAME, **RAIN}


class TestTheChoice:
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
    def test_is_the_plan_that_the_words_are_most_like(
        self, text: str, key: str
    ) -> None:
        assert choose(BOTH, text).key == key

    def test_is_the_first_where_nothing_tells(self) -> None:
        assert choose({**RAIN, **GAME}, "Hello").key == "rain"

    def test_is_the_one_that_the_message_names(self) -> None:
        assert choose(BOTH, "Schedule a game", "rain").key == "rain"

    def test_is_the_one_with_this_very_example(self) -> None:
        longer = called("dinner", "Schedule a game and a dinner")
        exact = called("game", "Schedule a game")

        assert choose({**longer, **exact}, " schedule a game ").key == "game"

    def test_goes_by_the_words_of_a_key_as_well(self) -> None:
        found = {**GAME, **called("book_flight")}

        assert choose(found, "a flight").key == "book_flight"

    def test_counts_a_word_that_all_share_for_little(self) -> None:
        found = {
            **called("a", "Please do tell me of this"),
            **called("b", "Please do tell me of that"),
            **called("c", "tennis"),
        }

        assert choose(found, "Please tell of tennis").key == "c"

    def test_of_an_unknown_plan_is_refused_with_what_there_is(self) -> None:
        with pytest.raises(UnknownPlan, match="no plan 'chess': there are game, rain"):
            choose(BOTH, "Schedule a game", "chess")

    @pytest.mark.parametrize("skill_id", [None, "game"])
    def test_is_refused_where_there_are_no_plans(self, skill_id: str | None) -> None:
        with pytest.raises(UnknownPlan, match="no plans"):
            choose({}, "Schedule a game", skill_id)

    @given(st.text(), st.permutations(["game", "rain"]))
    def test_is_always_one_of_them(self, text: str, order: list[str]) -> None:
        found = {key: BOTH[key] for key in order}

        assert choose(found, text) in found.values()


class TestTheBuiltInPlan:
    def test_is_there_with_the_agents_of_the_lesson(self) -> None:
        assert list(built_in([*SEED_AGENTS, "zoe"])) == ["schedule"]

    @pytest.mark.parametrize("missing", SEED_AGENTS)
    def test_is_not_there_without_one_of_them(self, missing: str) -> None:
        assert built_in([name for name in SEED_AGENTS if name != missing]) == {}

    def test_asks_no_one_twice_who_sends_something(self) -> None:
        assert built_in(SEED_AGENTS)["schedule"].steps["notify"].retries == 0
