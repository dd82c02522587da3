"""Lists the pages of docs/lesson/ in order, and estimates the reading time of each."""

from __future__ import annotations

import re

from tests.support.doc_examples import BLOCK
from tests.support.harness import ROOT

LESSON = ROOT / "docs" / "lesson"
ROW = re.compile(r"^\| \d+ \| \[[^\]]+\]\(([\w-]+)\.md\) \| (\d+) \|$", re.M)
CONTENTS = ROW.findall((LESSON / "index.md").read_text(encoding="utf-8"))
PAGES = [page for page, _ in CONTENTS]
MINUTES = {page: int(minutes) for page, minutes in CONTENTS}

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
