"""The examples in docs/gateway.md are real output.

The host and Carly are real. Only the port is replaced.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import host.app  # noqa: F401 - defines every error that can reach a client
from host.errors import CourtsideError
from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.stack import Stack

PAGE = ROOT / "docs" / "gateway.md"
EXAMPLES = examples_in(PAGE)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    with Stack(folder, ["carly"]) as stack:
        address = stack.url.removeprefix("http://")
        return run_examples(EXAMPLES, {"localhost:8000": address}, folder)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_is_real_output_of_the_host(number: int, outputs: list[str]) -> None:
    assert matches_output(EXAMPLES[number], outputs[number]), outputs[number]


def test_page_lists_every_error_of_the_gateway() -> None:
    page = PAGE.read_text(encoding="utf-8")
    of_agents = {"AGENT_EXISTS", "BAD_SETTING", "NOT_KEPT"}
    of_history = {"BAD_QUERY", "CURSOR_EXPIRED"}
    errors = {(kind.status, kind.reason) for kind in all_subclasses(CourtsideError)}
    found = {reason for status, reason in errors if status != CourtsideError.status}
    assert len(found) > len(of_agents | of_history)
    for status, reason in errors:
        if reason in found - of_agents - of_history:
            assert f"`{reason}` | {status} | -31{status}" in page


def all_subclasses(kind: type[CourtsideError]) -> list[type[CourtsideError]]:
    below = kind.__subclasses__()
    return below + [one for sub in below for one in all_subclasses(sub)]
