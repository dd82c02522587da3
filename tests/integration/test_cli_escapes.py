"""`courtside tail` and `export` never print a character that a terminal obeys, in a
terminal or in a pipe. A hostile server takes the place of the host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.support.cli import COURTSIDE, environment, run_in_terminal
from tests.support.reply_server import ReceivedRequest, Reply, ReplyServer, reply_server

pytestmark = pytest.mark.integration

C0 = "".join(map(chr, range(0x20)))
C1 = "".join(map(chr, range(0x7F, 0xA0)))
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u200b\u2028\u2029\u2060\ufeff\U000e0041\ue000"
HOSTILE = f"begin {C0}{C1}{BIDI}{INVISIBLE} \x9b2J \u00f6 \U0001f600 end"
EVENT = {
    "id": 1,
    "kind": "task",
    "agent": f"carly\x9b{BIDI}",
    "task_id": f"t\x9b{C1}",
    "status": "running",
    "progress": None,
    "message": HOSTILE,
    "received_at": "2026-11-25T12:00:01.500Z",
}
# Raw, as the host writes it: only C0 is escaped.
DATA = json.dumps(EVENT, ensure_ascii=False)


def answer(seen: ReceivedRequest) -> Reply:
    if seen.target.startswith("/feed.ndjson"):
        return Reply(body=f"{DATA}\n")
    if "refuse" in seen.target:
        return Reply(400, HOSTILE)
    two_lines = DATA.replace("{", "{\ndata: ", 1)
    body = f"id: e\x9b-1\ndata: {two_lines}\n\n"
    return Reply(body=body, headers={"content-type": "text/event-stream"})


@pytest.fixture
def host() -> Iterator[ReplyServer]:
    with reply_server(answer) as server:
        yield server


def in_pipe(*words: str) -> str:
    """Return the first line that the command prints into a pipe."""
    with subprocess.Popen(
        [*COURTSIDE, *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.kill()
    return line.decode().removesuffix("\n")


def in_terminal(*words: str) -> str:
    """Return the first line that the command prints in a terminal, without colors."""
    output = run_in_terminal(*words, until=b"\n", NO_COLOR="1", COLUMNS="400")
    return output.decode().partition("\n")[0].removesuffix("\r")


@pytest.mark.parametrize("run", [in_pipe, in_terminal])
@pytest.mark.parametrize("command", ["tail", "export"])
def test_json_stays_valid_and_controls_nothing(
    host: ReplyServer, run: Callable[..., str], command: str
) -> None:
    words = ["tail", "--json"] if command == "tail" else ["export"]

    line = run(*words, host.url)

    assert json.loads(line) == EVENT
    if (command, run) != ("export", in_pipe):  # A recording has the bytes of the host.
        assert line.isprintable()
        assert "ö 😀" in line


@pytest.mark.parametrize("run", [in_pipe, in_terminal])
def test_line_for_people_controls_nothing(
    host: ReplyServer, run: Callable[..., str]
) -> None:
    line = run("tail", host.url)

    assert line.isprintable()
    assert "begin" in line
    assert "ö 😀 end" in line


def test_notes_and_errors_control_nothing(host: ReplyServer) -> None:
    refused = subprocess.run(
        [*COURTSIDE, "tail", f"{host.url}/refuse"],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    with subprocess.Popen(
        [*COURTSIDE, "tail", host.url],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr
        note = process.stderr.readline().decode()
        process.terminate()
        _, rest = process.communicate(timeout=60)

    assert "400" in refused.stderr.decode()
    assert "econnect" in note
    assert "Continue with: courtside tail" in rest.decode()
    for text in (refused.stderr.decode(), note, rest.decode()):
        assert text.replace("\n", "").isprintable()
