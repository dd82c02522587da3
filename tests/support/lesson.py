"""Lists the pages of docs/lesson/ in order, and estimates the time for each."""

from __future__ import annotations

import re

from tests.support.doc_examples import BLOCK
from tests.support.harness import ROOT

LESSON = ROOT / "docs" / "lesson"
FURTHER = "going-further"
ROW = re.compile(r"^\| \d+ \| \[[^\]]+\]\(([\w-]+)\.md\) \| (\d+) \|$", re.M)
LINK = re.compile(r"^\| \[[^\]]+\]\(([\w/-]+)\.md\) \|", re.M)


def text_of(page: str) -> str:
    return (LESSON / f"{page}.md").read_text(encoding="utf-8")


PHASES = {page: int(minutes) for page, minutes in ROW.findall(text_of("index"))}
"""The pages of the three phases, with their minutes."""
OTHERS = LINK.findall(text_of("index").partition("## After the lesson")[2])
"""The other pages of the lesson, with the contents of going-further."""
MINUTES = {
    f"{FURTHER}/{page}": int(minutes)
    for page, minutes in ROW.findall(text_of(f"{FURTHER}/index"))
}
"""The pages of going-further, with their minutes."""

WORDS_A_MINUTE = 180
COMMAND_S, CODE_LINE_S, OUTPUT_LINE_S = 30, 3, 2


def minutes(text: str) -> float:
    """Estimate the minutes to read a page and to run its commands."""
    words = len(BLOCK.sub("", text).split())
    seconds = words * 60 / WORDS_A_MINUTE
    for language, _, block in BLOCK.findall(text):
        lines = len(block.splitlines())
        if language == "sh":
            seconds += COMMAND_S
        else:
            seconds += lines * (CODE_LINE_S if language else OUTPUT_LINE_S)
    return seconds / 60
