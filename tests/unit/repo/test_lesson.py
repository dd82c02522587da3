"""Tests of the lesson's pages: times, order and links.

test_lesson_contents.py tests what the pages say, and tests/integration/test_lesson.py
runs their commands.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.lesson import (
    FURTHER,
    LESSON,
    MINUTES,
    OTHERS,
    PHASES,
    minutes,
    text_of,
)

NUMBERED = [list(PHASES), list(MINUTES)]


def test_three_phases_take_45_minutes() -> None:
    assert list(PHASES.values()) == [10, 25, 10]


@pytest.mark.parametrize("phase", ["1-concepts", "3-testing"])
def test_phase_keeps_its_time(phase: str) -> None:
    assert minutes(text_of(phase)) <= PHASES[phase]


def test_times_inside_a_phase_add_up() -> None:
    for phase in ("1-concepts", "3-testing"):
        parts = re.findall(r"^## .*\((\d+) min\)$", text_of(phase), re.M)
        assert sum(map(int, parts)) in (PHASES[phase] - 1, PHASES[phase]), phase


@pytest.mark.parametrize("page", MINUTES)
def test_contents_give_the_reading_time_of_each_page(page: str) -> None:
    assert minutes(text_of(page)) == pytest.approx(MINUTES[page], abs=1)


@pytest.mark.parametrize("pages", NUMBERED, ids=["phases", FURTHER])
def test_numbered_page_has_its_number_and_links_to_the_next(pages: list[str]) -> None:
    for number, page in enumerate(pages, start=1):
        assert text_of(page).startswith(f"# {number}. ")
        if number < len(pages):
            following = pages[number].rpartition("/")[2]
            assert f"]({following}.md)" in text_of(page).splitlines()[-1]


def test_pages_after_the_phases_lead_to_each_other() -> None:
    last_line = text_of("3-testing").splitlines()[-1]
    for page in ("questions", "assessment", "repetition", "next", "resources"):
        assert f"]({page}.md)" in last_line
        last_line = text_of(page).splitlines()[-1]


def test_contents_list_every_page() -> None:
    pages = {str(file.relative_to(LESSON).with_suffix("")) for file in _pages()}
    assert pages == {"index", *PHASES, *OTHERS, *MINUTES}


def test_long_output_is_shown_by_the_viewer() -> None:
    """No page prints A2A's JSON as it is on the wire."""
    for file in _pages():
        text = file.read_text(encoding="utf-8")
        assert '"statusUpdate": {[...]' not in text, file
        assert '"state": "TASK_STATE' not in text, file


def _pages() -> list[Path]:
    return sorted(file for file in LESSON.rglob("*.md") if "code" not in file.parts)
