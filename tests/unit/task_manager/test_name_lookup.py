"""Owns the promises of host/task_manager/name_lookup.py: which agent and skill a name
means.
"""

from __future__ import annotations

import pytest

from host.errors import AgentUnreachable, UnknownAgent
from host.model.event import AgentEvent, Skill
from host.task_manager.errors import UnknownName
from host.task_manager.name_lookup import Rows, Target, Wanted, message_for, resolve

CHECK = Skill("calendar_check", "Check the calendar", "", ["Find a slot", "Find two"])
AVAILABLE = Skill("availability", "See who is free", "", [])


def row(
    name: str, *skills: Skill, connection: str = "connected", cause: str | None = None
) -> AgentEvent:
    """An agent that has shown its card, now or earlier, where it has skills."""
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
    return resolve(Wanted(name, agent, skill), among, settled=settled)


class TestANameMeans:
    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted("calendar_check", None, None),
            Wanted("carly/calendar_check", None, None),
            Wanted("calendar_check", "carly", None),
            Wanted("carly", None, "calendar_check"),
            Wanted(None, "carly", "calendar_check"),
            Wanted(None, None, "calendar_check"),
        ],
    )
    def test_the_skill_of_the_agent_that_has_it(self, wanted: Wanted) -> None:
        assert resolve(wanted, BOTH, settled=False) == ("carly", "calendar_check")

    @pytest.mark.parametrize("wanted", [("carly", None), (None, "carly")])
    def test_an_agent_that_chooses_itself(
        self, wanted: tuple[str | None, str | None]
    ) -> None:
        assert found(wanted[0], BOTH, agent=wanted[1]) == ("carly", None)

    def test_the_agent_where_an_agent_and_a_skill_are_called_so(self) -> None:
        namesake = row("other", Skill("carly", "Carly", "", []))
        assert found("carly", rows(CARLY, namesake)) == ("carly", None)

    def test_both_where_an_agent_has_a_skill_of_its_own_name(self) -> None:
        itself = row("weather", Skill("weather", "Weather", "", []))
        assert found("weather", rows(itself)) == ("weather", "weather")

    def test_a_skill_whose_id_has_a_slash(self) -> None:
        odd = row("odd", Skill("a/b", "A", "", []))
        assert found("a/b", rows(odd)) == ("odd", "a/b")
        assert found("odd/a/b", rows(odd)) == ("odd", "a/b")


class TestANameIsRefused:
    def test_that_nobody_has_with_all_there_are(self) -> None:
        with pytest.raises(UnknownName) as refused:
            found("dance", BOTH)
        assert str(refused.value) == (
            "no agent and no skill 'dance'; there are: "
            "carly (calendar_check, availability); walter (weather)"
        )

    def test_of_a_skill_that_two_have_with_what_to_say_instead(self) -> None:
        twice = rows(CARLY, row("cora", CHECK))
        with pytest.raises(
            UnknownName, match="'carly/calendar_check' or 'cora/calendar_check'"
        ):
            found("calendar_check", twice)

    def test_of_a_skill_that_the_agent_does_not_have(self) -> None:
        for wanted in (("walter/calendar_check", None), ("calendar_check", "walter")):
            with pytest.raises(UnknownName, match=r"walter has no skill .*: weather$"):
                found(wanted[0], BOTH, agent=wanted[1])

    def test_of_an_agent_that_is_not_there(self) -> None:
        with pytest.raises(UnknownAgent, match=r"no agent 'anna'.*carly"):
            found(None, BOTH, agent="anna")

    def test_that_is_none_or_one_too_many(self) -> None:
        with pytest.raises(UnknownName, match="say what to start"):
            found(None, BOTH)
        with pytest.raises(UnknownName, match="one too many"):
            found("x", BOTH, agent="carly", skill="availability")


class TestAnAgentThatIsAway:
    def test_is_named_with_the_cause(self) -> None:
        lost = row("carly", CHECK, connection="lost", cause="refused: nobody there")
        for name in ("carly", "calendar_check", "carly/calendar_check"):
            with pytest.raises(
                AgentUnreachable, match="carly cannot be reached: refused: nobody"
            ):
                found(name, rows(lost, WALTER))

    def test_may_have_the_skill_that_nobody_else_has(self) -> None:
        lost = row("carly", connection="lost", cause="refused")
        with pytest.raises(
            AgentUnreachable,
            match=r"'calendar_check': carly \(cannot be reached: refused\); walter",
        ):
            found("calendar_check", rows(lost, WALTER))

    def test_does_not_keep_others_waiting_once_it_has_failed(self) -> None:
        lost = row("anna", connection="lost", cause="refused")
        assert found("calendar_check", rows(lost, CARLY)) == ("carly", "calendar_check")

    def test_is_waited_for_while_it_connects_for_it_may_have_the_same_skill(
        self,
    ) -> None:
        new = row("anna", connection="connecting")
        with pytest.raises(AgentUnreachable, match="still connecting: anna"):
            found("calendar_check", rows(new, CARLY))
        assert found("calendar_check", rows(new, CARLY), settled=True)

    def test_is_not_waited_for_where_the_agent_is_named(self) -> None:
        new = row("anna", connection="connecting")
        assert found("carly/calendar_check", rows(new, CARLY))
        assert found("carly", rows(new, CARLY))


class TestTheMessage:
    def test_is_the_skills_first_example_or_its_name(self) -> None:
        assert message_for(Target("carly", "calendar_check"), CARLY) == "Find a slot"
        assert message_for(Target("carly", "availability"), CARLY) == "See who is free"

    def test_is_the_first_skills_where_the_agent_chooses(self) -> None:
        assert message_for(Target("carly", None), CARLY) == "Find a slot"

    def test_must_be_said_where_the_card_suggests_none(self) -> None:
        with pytest.raises(UnknownName, match="message="):
            message_for(Target("mute", None), row("mute"))
