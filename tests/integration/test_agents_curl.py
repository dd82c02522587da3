"""The commands in docs/curl.md run unchanged and print the documented output.

The agents are real. Only their ports and times are replaced.
"""

from __future__ import annotations

import pytest

from agents.stubs import STUBS
from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.stack import SEED_AGENTS, Stack

EXAMPLES = examples_in(ROOT / "docs" / "curl.md")
# A step leaves time to cancel a task, and `curl -m` covers many steps.
STEP_S, FEED_S = 0.5, 4.0


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Run the commands of the page in order. Return the output of each."""
    folder = tmp_path_factory.mktemp("curl")
    with Stack(folder, with_host=False, step_s=STEP_S) as stack:
        addresses = {
            f"localhost:{stub.port}": stack.agent_url(name).removeprefix("http://")
            for name, stub in STUBS.items()
        }
        return run_examples(EXAMPLES, {**addresses, "-m 5": f"-m {FEED_S}"}, folder)


def test_page_shows_an_output_for_every_command() -> None:
    assert len(EXAMPLES) > 10
    assert all(example.output for example in EXAMPLES)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_command_prints_the_documented_output(number: int, outputs: list[str]) -> None:
    assert matches_output(EXAMPLES[number], outputs[number]), outputs[number]


@pytest.mark.parametrize("name", SEED_AGENTS)
def test_page_has_a_command_for_every_lesson_agent(name: str) -> None:
    port = STUBS[name].port
    assert any(f"localhost:{port}" in example.command for example in EXAMPLES)
