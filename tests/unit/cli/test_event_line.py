"""Tests of host/cli/event_line.py: whole lines that never control the terminal."""

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


def render(event: dict[str, Any], *, colors: bool = False, bar: bool = True) -> str:
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


def test_task_line_has_agent_task_status_progress_and_message() -> None:
    line = render(task(progress=50, message="Querying team calendars..."))

    assert line.split(maxsplit=1)[1] == (
        "carly    77b2 running        ━━━━━━━━━━  50% Querying team calendars...\n"
    )


def test_text_that_the_host_has_cut_ends_with_an_ellipsis() -> None:
    cut = task(message="Which of", result="A long", shortened={"result": 3_900_000})

    assert render(cut).endswith(" A long…\n")
    assert render(task(message="Which of", shortened={"message": 600})).endswith(
        " Which of…\n"
    )
    assert render(task(message="Which of", shortened=3)).endswith(" Which of\n")


def test_progress_is_a_coloured_bar_or_a_number() -> None:
    half = render(task(progress=50), colors=True)

    assert "\x1b[32m━━━━━\x1b[0m\x1b[90m━━━━━\x1b[0m  50%" in half
    assert "━" not in render(task(progress=50), bar=False)
    assert "%" not in render(task(progress=None))


def test_invalid_progress_keeps_the_bar_at_its_length() -> None:
    for percent in (-5, 0, 99.9, 1e9, float("nan")):
        assert render(task(progress=percent)).count("━") == 10


def test_each_kind_of_event_shows_its_content() -> None:
    base = {"agent": "carly", "received_at": "2026-11-25T12:00:01.500Z"}
    lost = {"kind": "agent", "connection": "lost", "cause": "it refused"}
    parts = [{"text": "Slot 1\nSlot 2"}, {"data": {"n": 1}}]
    artifact = {"kind": "artifact", "task_id": "1", "name": "slots", "parts": parts}
    gap = {"kind": "gap", "task_id": "1", "message": "the stream broke"}
    notice = {"kind": "notice", "task_id": "1", "notice": "stalled"}
    notice |= {"message": "no update for 5 min"}
    stalled = task(message="Working", stalled_since="2026-11-25T12:00:01.500Z")
    asks = task(status="input-required", message="Send?", choices=["Yes", "No"])

    assert "lost           it refused" in render(base | lost)
    assert 'slots Slot 1 Slot 2 {"data": {"n": 1}}' in render(base | artifact)
    assert "gap            the stream broke" in render(base | gap)
    assert "stalled        no update for 5 min" in render(base | notice)
    assert "Working (stalled)" in render(stalled)
    assert "Send? [Yes | No]" in render(asks)


def test_escape_sequences_and_markup_have_no_effect() -> None:
    evil = "a\x1b[2Jb \x9b31mc \x07d [bold red]e[/] :smile: \u202ef\r\ng\x7f\ud800"
    for fields in ({"message": evil}, {"agent": evil}, {"status": evil}):
        line = render(task(**fields))

        assert line.removesuffix("\n").isprintable()
        assert "[bold red]e[/] :smile:" in line


WORDS = st.text(st.characters(exclude_categories=()), max_size=20)
ODD = st.one_of(WORDS, st.none(), st.floats(), st.lists(WORDS, max_size=2))
NAMES = ("agent", "task_id", "status", "connection", "progress", "message", "result")
FIELDS = (*NAMES, "parts", "choices", "cause", "received_at")
KINDS = st.sampled_from(["task", "artifact", "agent", "gap", "message", "later"])


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), ODD))
def test_any_event_becomes_one_printable_line(
    kind: str, fields: dict[str, Any]
) -> None:
    line = render({"kind": kind, **fields})

    assert line.endswith("\n")
    assert line.removesuffix("\n").isprintable()


def test_every_event_of_the_contract_has_a_line() -> None:
    for event in EVENTS:
        assert len(render(event).split()) > 2


def test_task_that_another_one_continues_no_longer_needs_input() -> None:
    line = render(task(status="input-required", continued_by="b", message="Which?"))

    assert "continued" in line
    assert "input-required" not in line
