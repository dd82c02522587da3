"""Tests parsing the configured faults, and flooding a script. No test waits.

Covers agents/faults.py.
"""

from __future__ import annotations

import pytest

from agents.faults import (
    KINDS,
    FaultError,
    add_flood,
    format_faults,
    parse_faults,
    read_variable,
)
from agents.steps import Progress, Request, Say
from tests.support.harness import ROOT
from tests.support.scenario_agent import SCENARIO_AGENT


def test_faults_are_parsed_with_their_values() -> None:
    texts = ["stall", "drop=3", "401", "slow-card=0.5"]
    assert parse_faults(texts) == {"stall": 1, "drop": 3, "401": 1, "slow-card": 0.5}


def test_variable_separates_faults_with_commas() -> None:
    assert read_variable({"COURTSIDE_FAULT": "drop=3, 401,"}) == ["drop=3", " 401"]
    assert read_variable({}) == []


def test_formatted_faults_equal_their_input() -> None:
    texts = ["stall=1", "drop=3", "401", "slow-card=0.5"]
    assert format_faults(parse_faults(texts)) == ",".join(texts)


@pytest.mark.parametrize(
    "text",
    [
        "drop",
        "drop=",
        "drop=x",
        "drop=0",
        "drop=-1",
        "drop=1.5",
        "drop=inf",
        "401=3",
        "slow-card=0",
        "slow-card=nan",
        "flood=1e9",
        "stall=²",
    ],
)
def test_invalid_value_error_shows_the_correct_form(text: str) -> None:
    name = text.partition("=")[0]
    with pytest.raises(FaultError) as refused:
        parse_faults([text])
    assert f"write {KINDS[name].usage} " in str(refused.value)


async def test_flood_changes_neither_messages_nor_duration() -> None:
    now = 0.0
    agent = add_flood(SCENARIO_AGENT, {"flood": 10}, step_s=0.5, clock=lambda: now)
    script = agent.choose_skill("", "steady").script(Request("please"))
    messages, ticks = [], 0
    async for step in script:
        if isinstance(step, Progress | Say):
            now += step.beats * 0.5
        if step == Say("", beats=getattr(step, "beats", 0.0)):
            ticks += 1
        else:
            messages.append(getattr(step, "message", "delivered"))
    assert messages == ["Starting…", "Half way…", "", "Never back…", "delivered"]
    # Four beats of half a second each.
    assert (ticks, round(now, 6)) == (20, 2.0)


def test_agent_without_flood_is_unchanged() -> None:
    assert add_flood(SCENARIO_AGENT, {"drop": 3}, step_s=1.0) is SCENARIO_AGENT


async def test_flooded_script_still_gets_answers() -> None:
    agent = add_flood(SCENARIO_AGENT, {"flood": 2}, step_s=1.0, clock=lambda: 0.0)
    script = agent.choose_skill("", "asking").script(Request("please"))
    steps = [await anext(script) for _ in range(4)]
    assert getattr(steps[-1], "question", "") == "Red or blue?"
    assert "Blue" in getattr(await script.asend("Blue"), "text", "")
    await script.aclose()


def test_docs_list_every_fault() -> None:
    page = (ROOT / "docs" / "curl.md").read_text(encoding="utf-8")
    rows = [f"| `{kind.usage}` | {kind.effect} |" for kind in KINDS.values()]
    assert "\n".join(rows) in page
