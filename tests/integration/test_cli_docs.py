"""docs/cli.md shows real output, and only valid commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import httpx
import pytest

from host.cli.main import courtside
from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.http_requests import start_request
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

PAGES = (ROOT / "docs" / "cli.md", ROOT / "README.md")
COMMAND = re.compile(
    r"^\$? ?(?:scripts/)?(courtside(?: [^\n#>|]*)?)(?:[#>|].*)?$", re.M
)
FENCED = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.M | re.S)


def test_page_shows_the_real_output_of_its_commands(tmp_path: Path) -> None:
    examples = examples_in(PAGES[0])
    with Stack(tmp_path, ["carly"]) as stack:
        url = f"{stack.url}/a2a/carly/message:send"
        assert httpx.post(url, json=start_request("Find a slot")).status_code == 200
        done = f"{stack.url}/feed.ndjson?kind=task&limit=1"
        wait_until_sync(
            lambda: '"completed"' in httpx.get(done).text, "Carly's answer", 30
        )
        addresses = {"http://localhost:8000": stack.url}
        printed = run_examples(examples, addresses, tmp_path)

    assert len(examples) > 4
    for example, output in zip(examples, printed, strict=True):
        assert matches_output(example, output), f"{example.command}printed: {output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_on_a_page_is_valid(page: Path) -> None:
    fences = FENCED.findall(page.read_text(encoding="utf-8"))
    commands = [line for fence in fences for line in COMMAND.findall(fence)]

    assert commands
    for command in commands:
        words = shlex.split(command)[1:]
        group = courtside.make_context("courtside", words)
        name, chosen, rest = courtside.resolve_command(
            group, [*group._protected_args, *group.args]
        )
        assert name and chosen, command
        with chosen.make_context(name, rest, parent=group) as understood:
            assert isinstance(understood, click.Context)
