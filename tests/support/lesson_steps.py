"""Applies the code blocks of docs/lesson/2-implementation.md to the starter."""

from __future__ import annotations

import re

from tests.support.doc_examples import blocks_in
from tests.support.harness import ROOT

CODE = ROOT / "docs" / "lesson" / "code"
PAGE = ROOT / "docs" / "lesson" / "2-implementation.md"
FILES = ("agent.py", "page.html")
TITLE = re.compile(r"(?P<file>agent\.py|page\.html), (?P<step>Step (?P<number>\d)\w?)")


def apply_steps(last: int = 9) -> dict[str, str]:
    """Return the files after the steps up to `last`. Raises ValueError for a bad step.

    Each block replaces the one line with its mark, such as `# Step 1a`.
    """
    files = {name: (CODE / "starter" / name).read_text("utf-8") for name in FILES}
    for block in blocks_in(PAGE):
        found = TITLE.fullmatch(block.title or "")
        if found and int(found["number"]) <= last:
            file, step = found["file"], found["step"]
            files[file] = replace_mark(files[file], step, block.text)
    return files


def replace_mark(text: str, step: str, block: str) -> str:
    """Replace the line with the mark of the step. Raises ValueError without one."""
    marked = re.compile(rf"^.*(?:#|//) {step}\b.*\n", re.M)
    if len(marked.findall(text)) != 1:
        raise ValueError(f"{step} is not the mark of exactly one line")
    return marked.sub(lambda _: block, text)
