"""An event as a line for a terminal: all that it says, and nothing to be obeyed.

host/cli/event_line.py, printed as `courtside tail` prints it.
"""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from host.cli.event_line import format_event
from tests.support.harness import ROOT

EVENTS = json.loads((ROOT / "tests/contract/events.json").read_text(encoding="utf-8"))


def printed(event: dict[str, Any], *, colors: bool = False, bar: bool = True) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        color_system="standard" if colors else None,
        emoji=False,
        force_terminal=colors,
        highlight=False,
        markup=False,
        width=200,
    )
    console.print(format_event(event, bar=bar), no_wrap=True, overflow="ellipsis")
    return file.getvalue()


def task(**fields: Any) -> dict[str, Any]:
    row = {"kind": "task", "agent": "carly", "task_id": "0af1-77b2", "progress": None}
    return (
        row | {"status": "running", "received_at": "2026-11-25T12:00:01.500Z"} | fields
    )


def test_a_task_says_when_who_which_how_far_and_what() -> None:
    said = printed(task(progress=50, message="Querying team calendars…"))

    assert said.split(maxsplit=1)[1] == (
        "carly    77b2 running        ━━━━━━━━━━  50% Querying team calendars…\n"
    )


def test_progress_is_drawn_in_colour_and_written_without() -> None:
    half = printed(task(progress=50), colors=True)

    assert "\x1b[32m━━━━━\x1b[0m\x1b[90m━━━━━\x1b[0m  50%" in half
    assert "━" not in printed(task(progress=50), bar=False)
    assert "%" not in printed(task(progress=None))


def test_what_is_no_progress_draws_no_more_than_the_bar() -> None:
    for percent in (-5, 0, 99.9, 1e9, float("nan")):
        assert printed(task(progress=percent)).count("━") == 10


def test_each_kind_says_what_is_in_it() -> None:
    base = {"agent": "carly", "received_at": "2026-11-25T12:00:01.500Z"}
    lost = {"kind": "agent", "connection": "lost", "cause": "it refused"}
    parts = [{"text": "Slot 1\nSlot 2"}, {"data": {"n": 1}}]
    artifact = {"kind": "artifact", "task_id": "1", "name": "slots", "parts": parts}
    gap = {"kind": "gap", "task_id": "1", "message": "the stream broke"}
    asks = task(status="input-required", message="Send?", choices=["Yes", "No"])

    assert "lost           it refused" in printed(base | lost)
    assert 'slots Slot 1 Slot 2 {"data": {"n": 1}}' in printed(base | artifact)
    assert "gap            the stream broke" in printed(base | gap)
    assert "Send? [Yes | No]" in printed(asks)


def test_no_escape_sequence_and_no_markup_of_an_agent_has_an_effect() -> None:
    evil = "a\x1b[2Jb \x9b31mc \x07d [bold red]e[/] :smile: \u202ef\r\ng\x7f\ud800"
    for fields in ({"message": evil}, {"agent": evil}, {"status": evil}):
        said = printed(task(**fields))

        assert said.removesuffix("\n").isprintable()
        assert "[bold red]e[/] :smile:" in said


WORDS = st.text(st.characters(exclude_categories=()), max_size=20)
ODD = st.one_of(WORDS, st.none(), st.floats(), st.lists(WORDS, max_size=2))
NAMES = ("agent", "task_id", "status", "connection", "progress", "message", "result")
FIELDS = (*NAMES, "parts", "choices", "cause", "received_at")
KINDS = st.sampled_from(["task", "artifact", "agent", "gap", "message", "later"])


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), ODD))
def test_whatever_comes_is_one_line_that_can_be_printed(
    kind: str, fields: dict[str, Any]
) -> None:
    said = printed({"kind": kind, **fields})

    assert said.endswith("\n")
    assert said.removesuffix("\n").isprintable()


def test_every_event_of_the_contract_has_a_line() -> None:
    for event in EVENTS:
        assert len(printed(event).split()) > 2
