"""The curl command, the paths and the settings file in README.md work as documented.

The host is real. Only its port is replaced.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from host.config.load import read
from tests.support.harness import ROOT
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

README = (ROOT / "README.md").read_text(encoding="utf-8")
ELISION = "[...]"
CARLY = {
    "message": {
        "messageId": "readme-1",
        "role": "ROLE_USER",
        "parts": [{"text": "Find a slot"}],
    }
}


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)
    assert found, f"README.md has no {language} block"
    return found[1]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a host on which Carly has completed a task."""
    with Stack(tmp_path_factory.mktemp("readme"), ["carly"]) as stack:
        sent = httpx.post(f"{stack.url}/a2a/carly/message:send", json=CARLY)
        assert sent.status_code == 200
        done = "/feed.ndjson?kind=task&limit=1"
        wait_until_sync(
            lambda: '"completed"' in httpx.get(stack.url + done).text,
            "Carly to be done",
            30,
        )
        yield stack.url


def test_curl_prints_the_documented_output(host: str) -> None:
    command, _, documented = block("console").removeprefix("$ ").partition("\n")
    command = command.replace("localhost:8000", host.removeprefix("http://"))
    printed = subprocess.run(
        ["sh", "-c", f"{command} -m 2"], capture_output=True, check=False, text=True
    ).stdout
    documented = documented.replace("9f2d41c7", ELISION).strip()
    pattern = ".*".join(re.escape(piece) for piece in documented.split(ELISION))
    assert re.match(pattern, printed, re.S), printed


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`GET (/\S*?)`", README))))
def test_documented_path_answers(host: str, path: str) -> None:
    path = path.replace("/feed/4182", "/feed/1")
    with httpx.stream("GET", host + path) as response:
        assert response.status_code == 200


def test_settings_file_is_valid(tmp_path: Path) -> None:
    (tmp_path / "courtside.toml").write_text(block("toml"), encoding="utf-8")
    agents = read({}, {}, tmp_path).agents
    assert {name: settings.url for name, settings in agents.items()} == {
        "booking": "http://localhost:9000",
        "travel": "https://agents.example.org/travel",
    }
