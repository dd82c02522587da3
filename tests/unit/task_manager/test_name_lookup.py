"""Tests that name_lookup finds the agent and the skill for a name."""

from __future__ import annotations

import pytest

from host.errors import AgentUnreachable, UnknownAgent
from host.model.event import AgentEvent, Skill
from host.task_manager.errors import UnknownName
from host.task_manager.name_lookup import (
    NameQuery,
    Rows,
    Target,
    choose_message,
    resolve,
)

CHECK = Skill("calendar_check", "Check the calendar", "", ["Find a slot", "Find two"])
AVAILABLE = Skill("availability", "See who is free", "", [])


def row(
    name: str, *skills: Skill, connection: str = "connected", cause: str | None = None
) -> AgentEvent:
    """An agent. Its card is known if it has skills, or is connected."""
    return AgentEvent(
        agent=name,
        url=f"http://{name}",
        connection=connection,
        cause=cause,
        title=name.title() if skills or connection == "connected" else None,
        skills=list(skills),
        received_at="",
    )


def rows(*agents: AgentEvent) -> Rows:
    return {agent.agent: agent for agent in agents}


CARLY = row("carly", CHECK, AVAILABLE)
WALTER = row("walter", Skill("weather", "Weather", "", []))
BOTH = rows(CARLY, WALTER)


def found(
    name: str | None,
    among: Rows,
    *,
    agent: str | None = None,
    skill: str | None = None,
    settled: bool = False,
) -> Target:
    return resolve(NameQuery(name, agent, skill), among, settled=settled)


class TestNameLookup:
    @pytest.mark.parametrize(
        "query",
        [
            NameQuery("calendar_check", None, None),
            NameQuery("carly/calendar_check", None, None),
            NameQuery("calendar_check", "carly", None),
            NameQuery("carly", None, "calendar_check"),
            NameQuery(None, "carly", "calendar_check"),
            NameQuery(None, None, "calendar_check"),
        ],
    )
    def test_finds_a_skill(self, query: NameQuery) -> None:
        assert resolve(query, BOTH, settled=False) == ("carly", "calendar_check")

    @pytest.mark.parametrize("query", [("carly", None), (None, "carly")])
    def test_finds_an_agent_that_chooses_the_skill(
        self, query: tuple[str | None, str | None]
    ) -> None:
        assert found(query[0], BOTH, agent=query[1]) == ("carly", None)

    def test_prefers_the_agent_if_a_skill_has_the_same_name(self) -> None:
        namesake = row("other", Skill("carly", "Carly", "", []))
        assert found("carly", rows(CARLY, namesake)) == ("carly", None)

    def test_finds_both_if_the_agent_has_a_skill_of_its_name(self) -> None:
        itself = row("weather", Skill("weather", "Weather", "", []))
        assert found("weather", rows(itself)) == ("weather", "weather")

    def test_finds_a_skill_with_a_slash_in_its_id(self) -> None:
        odd = row("odd", Skill("a/b", "A", "", []))
        assert found("a/b", rows(odd)) == ("odd", "a/b")
        assert found("odd/a/b", rows(odd)) == ("odd", "a/b")


class TestRefusedName:
    def test_unknown_name_error_lists_the_known_names(self) -> None:
        with pytest.raises(UnknownName) as refused:
            found("dance", BOTH)
        assert str(refused.value) == (
            "no agent and no skill 'dance'; there are: "
            "carly (calendar_check, availability); walter (weather)"
        )

    def test_skill_of_two_agents_is_ambiguous(self) -> None:
        twice = rows(CARLY, row("cora", CHECK))
        with pytest.raises(
            UnknownName, match="'carly/calendar_check' or 'cora/calendar_check'"
        ):
            found("calendar_check", twice)

    def test_skill_must_be_one_of_the_agent(self) -> None:
        for query in (("walter/calendar_check", None), ("calendar_check", "walter")):
            with pytest.raises(UnknownName, match=r"walter has no skill .*: weather$"):
                found(query[0], BOTH, agent=query[1])

    def test_agent_must_be_known(self) -> None:
        with pytest.raises(UnknownAgent, match=r"no agent 'anna'.*carly"):
            found(None, BOTH, agent="anna")

    def test_name_must_be_given_once(self) -> None:
        with pytest.raises(UnknownName, match="pass an agent or a skill"):
            found(None, BOTH)
        with pytest.raises(UnknownName, match="not all three"):
            found("x", BOTH, agent="carly", skill="availability")


class TestUnreachableAgent:
    def test_is_named_with_the_cause(self) -> None:
        lost = row("carly", CHECK, connection="lost", cause="refused: nobody there")
        for name in ("carly", "calendar_check", "carly/calendar_check"):
            with pytest.raises(
                AgentUnreachable, match="carly cannot be reached: refused: nobody"
            ):
                found(name, rows(lost, WALTER))

    def test_may_have_the_unknown_skill(self) -> None:
        lost = row("carly", connection="lost", cause="refused")
        with pytest.raises(
            AgentUnreachable,
            match=r"'calendar_check': carly \(cannot be reached: refused\); walter",
        ):
            found("calendar_check", rows(lost, WALTER))

    def test_is_not_waited_for_after_its_first_failure(self) -> None:
        lost = row("anna", connection="lost", cause="refused")
        assert found("calendar_check", rows(lost, CARLY)) == ("carly", "calendar_check")

    def test_may_have_the_same_skill_while_it_connects(
        self,
    ) -> None:
        new = row("anna", connection="connecting")
        with pytest.raises(AgentUnreachable, match="still connecting: anna"):
            found("calendar_check", rows(new, CARLY))
        assert found("calendar_check", rows(new, CARLY), settled=True)

    def test_is_not_waited_for_if_another_agent_is_named(self) -> None:
        new = row("anna", connection="connecting")
        assert found("carly/calendar_check", rows(new, CARLY))
        assert found("carly", rows(new, CARLY))


class TestDefaultMessage:
    def test_is_the_first_example_or_the_name_of_the_skill(self) -> None:
        assert choose_message(Target("carly", "calendar_check"), CARLY) == "Find a slot"
        assert (
            choose_message(Target("carly", "availability"), CARLY) == "See who is free"
        )

    def test_is_that_of_the_first_skill_if_the_agent_chooses(self) -> None:
        assert choose_message(Target("carly", None), CARLY) == "Find a slot"

    def test_is_missing_if_the_agent_has_no_skills(self) -> None:
        with pytest.raises(UnknownName, match="message="):
            choose_message(Target("mute", None), row("mute"))
