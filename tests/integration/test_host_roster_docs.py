"""The commands of docs/roster.md print what the page shows."""

from __future__ import annotations

from pathlib import Path

from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.stack import Stack

PAGE = ROOT / "docs" / "roster.md"


def test_page_shows_the_real_output_of_its_commands(tmp_path: Path) -> None:
    examples = examples_in(PAGE)
    alone = tmp_path / "walter"
    alone.mkdir()
    with (
        Stack(alone, ["walter"], with_host=False) as walter,
        Stack(tmp_path, ["carly"]) as stack,
    ):
        addresses = {
            "http://localhost:8000": stack.url,
            "http://localhost:8002": walter.agent_url("walter"),
        }
        printed = run_examples(examples, addresses, tmp_path)

    assert examples
    for example, output in zip(examples, printed, strict=True):
        assert matches_output(example, output), f"{example.command}printed: {output}"
