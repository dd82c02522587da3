"""Tests of the lesson's pages: reading times, numbers and links.

tests/integration/test_lesson.py runs the commands on the pages.
"""

from __future__ import annotations

import re

import pytest

from tests.support.lesson import LESSON, MINUTES, PAGES, minutes


def text_of(page: str) -> str:
    return (LESSON / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_contents_give_the_reading_time_of_each_page(page: str) -> None:
    assert minutes(text_of(page)) == pytest.approx(MINUTES[page], abs=1)


def test_lesson_takes_about_an_hour() -> None:
    assert sum(minutes(text_of(page)) for page in ["index", *PAGES]) < 65


def test_newcomer_has_a_fifth_agent_within_45_minutes() -> None:
    before = PAGES[: PAGES.index("your-agent")]
    first_agent, _, _ = text_of("your-agent").partition("\n## Without our helpers")

    assert "feed.ndjson?agent=rosa" in first_agent
    texts = [text_of("index"), *map(text_of, before), first_agent]
    assert sum(map(minutes, texts)) < 45


@pytest.mark.parametrize("page", PAGES)
def test_page_has_its_number_and_links_to_the_next(page: str) -> None:
    number = PAGES.index(page) + 1
    text = text_of(page)

    assert text.startswith(f"# {number}. ")
    following = PAGES[number] if number < len(PAGES) else "index"
    assert re.search(rf"\]\({following}\.md\)", text.splitlines()[-1])


def test_contents_list_every_page() -> None:
    assert {file.stem for file in LESSON.glob("*.md")} == {"index", *PAGES}
