"""The commands in docs/plans.md print what the page shows."""

from __future__ import annotations

from pathlib import Path

from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.stack import Stack

PAGE = ROOT / "docs" / "plans.md"


def test_page_shows_the_real_output_of_its_commands(tmp_path: Path) -> None:
    examples = examples_in(PAGE)
    # Slow enough that each update is written, even on a busy machine.
    with Stack(tmp_path, step_s=0.3) as stack:
        addresses = {"localhost:8000": stack.url.removeprefix("http://")}
        printed = run_examples(examples, addresses, tmp_path)

    assert len(examples) == 3
    for example, output in zip(examples, printed, strict=True):
        assert matches_output(example, output), f"{example.command}printed: {output}"
