"""The examples in docs/resumable-stream.md are real output.

Carly is real. Only her port is replaced.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import resumable_stream
from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.stack import Stack

PAGE = ROOT / "docs" / "resumable-stream.md"
EXAMPLES = examples_in(PAGE)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder: Path = tmp_path_factory.mktemp("resume")
    with Stack(folder, ["carly"], with_host=False) as stack:
        address = stack.agent_url("carly").removeprefix("http://")
        return run_examples(EXAMPLES, {"localhost:8001": address}, folder)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_is_real_output_of_the_agent(number: int, outputs: list[str]) -> None:
    assert matches_output(EXAMPLES[number], outputs[number]), outputs[number]


def test_page_names_the_extension_and_its_errors() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"`{resumable_stream.URI}`" in page
    for word in ("UPDATES_GONE", "-31410", "410", "OUT_OF_RANGE", "sequence"):
        assert word in page
    assert len(page.split("\n## ")) == 6
