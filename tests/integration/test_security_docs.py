"""docs/security.md has the real output of its commands, and every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.config.access_rules import AccessRules
from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.stack import Stack

PAGE = ROOT / "docs" / "security.md"
TOKEN = "operator-0123456789"


def test_page_shows_the_real_output_of_its_commands(tmp_path: Path) -> None:
    examples = examples_in(PAGE)
    with Stack(tmp_path, ["carly"], log="memory", token=TOKEN) as stack:
        ours = {"http://localhost:8000": stack.url, "$COURTSIDE_TOKEN": TOKEN}
        printed = run_examples(examples, ours, tmp_path)

    assert examples
    for example, output in zip(examples, printed, strict=True):
        assert matches_output(example, output), f"{example.command}printed: {output}"


@pytest.mark.parametrize("name", AccessRules.__dataclass_fields__)
def test_page_documents_each_setting(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text("utf-8")
