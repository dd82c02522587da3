"""Reading which faults were asked for, and flooding a script without any time passing.

agents/faults.py.
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
from tests.support.tessa import TESSA


def test_faults_are_read_with_their_values() -> None:
    asked = ["stall", "drop=3", "401", "slow-card=0.5"]
    assert parse_faults(asked) == {"stall": 1, "drop": 3, "401": 1, "slow-card": 0.5}


def test_the_environment_lists_them_with_commas() -> None:
    assert read_variable({"COURTSIDE_FAULT": "drop=3, 401,"}) == ["drop=3", " 401"]
    assert read_variable({}) == []


def test_what_was_read_is_written_as_it_was_asked() -> None:
    asked = ["stall=1", "drop=3", "401", "slow-card=0.5"]
    assert format_faults(parse_faults(asked)) == ",".join(asked)


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
def test_a_fault_with_a_wrong_value_is_answered_with_how_to_write_it(text: str) -> None:
    name = text.partition("=")[0]
    with pytest.raises(FaultError) as refused:
        parse_faults([text])
    assert f"write {KINDS[name].usage} " in str(refused.value)


async def test_a_flooded_script_says_the_same_and_takes_as_long() -> None:
    now = 0.0
    agent = add_flood(TESSA, {"flood": 10}, step_s=0.5, clock=lambda: now)
    script = agent.choose_skill("", "steady").script(Request("please"))
    told, ticks = [], 0
    async for step in script:
        if isinstance(step, Progress | Say):
            now += step.beats * 0.5
        if step == Say("", beats=getattr(step, "beats", 0.0)):
            ticks += 1
        else:
            told.append(getattr(step, "message", "delivered"))
    assert told == ["Starting…", "Half way…", "", "Never back…", "delivered"]
    # Four beats of half a second each.
    assert (ticks, round(now, 6)) == (20, 2.0)


def test_without_a_flood_a_character_is_left_alone() -> None:
    assert add_flood(TESSA, {"drop": 3}, step_s=1.0) is TESSA


async def test_a_flooded_script_still_hears_answers() -> None:
    agent = add_flood(TESSA, {"flood": 2}, step_s=1.0, clock=lambda: 0.0)
    script = agent.choose_skill("", "asking").script(Request("please"))
    steps = [await anext(script) for _ in range(4)]
    assert getattr(steps[-1], "question", "") == "Red or blue?"
    assert "Blue" in getattr(await script.asend("Blue"), "text", "")
    await script.aclose()


def test_the_documentation_lists_every_fault() -> None:
    page = (ROOT / "docs" / "curl.md").read_text(encoding="utf-8")
    rows = [f"| `{kind.usage}` | {kind.effect} |" for kind in KINDS.values()]
    assert "\n".join(rows) in page
