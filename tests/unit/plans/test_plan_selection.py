"""Tests which plan a request selects.

host/plans/selection.py.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.plans.plan import Plan, Step
from host.plans.selection import UnknownPlan, choose_plan


def plan_named(key: str, *examples: str, name: str = "") -> dict[str, Plan]:
    return {key: Plan(key, name or key, "", examples, {"one": Step("one", "carly")})}


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
