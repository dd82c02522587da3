"""Tests of the command line that need no host."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner

from agents.stubs import STUBS
from host.cli.main import COMMANDS, courtside
from host.cli.serve import log_hint
from host.config.load import DEFAULT, read
from host.config.settings import SETTINGS
from tests.support import cli
from tests.support.harness import ROOT, free_port
from tests.support.stack import AGENTS


def run(*words: str) -> str:
    """Return the output. Fails unless the command succeeds."""
    result = CliRunner().invoke(courtside, words, prog_name="courtside")
    assert result.exit_code == 0, result.output
    return result.output


class TestHelp:
    def test_lists_every_command_with_examples(self) -> None:
        output = run("--help")

        for command in COMMANDS:
            assert f"\n  {command} " in output
        assert "courtside --demo" in output
        assert "Exit codes: 0" in output

    @pytest.mark.parametrize("command", COMMANDS)
    def test_of_each_command_has_examples(self, command: str) -> None:
        output = run(command, "--help")

        assert f"Usage: courtside {command}" in output
        assert "Examples:\n    courtside " in output

    @pytest.mark.parametrize("command", ["tail", "export", "import", "config"])
    def test_of_a_small_command_does_not_import_the_sdk(self, command: str) -> None:
        script = (
            "import sys\nfrom host.cli.main import courtside\n"
            f"courtside(['{command}', '--help'], standalone_mode=False)\n"
            "assert not {'a2a', 'starlette', 'uvicorn'} & set(sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            env=cli.environment(),
            text=True,
        )
        assert done.returncode == 0, done.stderr


class TestAddress:
    @pytest.mark.parametrize(
        ("word", "url", "name"),
        [
            ("localhost:9000", "http://localhost:9000", "agent-9000"),
            ("[::1]:9000", "http://[::1]:9000", "agent-9000"),
            ("travel.example:80/a2a/", "http://travel.example:80/a2a", "travel"),
            (
                "https://x.example/travel",
                "https://x.example/travel",
                "travel",
            ),
        ],
    )
    def test_needs_no_scheme(self, word: str, url: str, name: str) -> None:
        config = json.loads(run("config", word, "--json"))

        assert config["agents"] == {
            name: {"url": url, "credentials": [], "from": "argument"}
        }

    @pytest.mark.parametrize(
        ("word", "why"),
        [
            ("exprot", "'exprot' is neither a command nor an address"),
            ("localhost", "'localhost' is neither a command nor an address"),
            ("ftp://x.example", "'ftp://x.example' is not an http(s) URL"),
            ("http://x.example?key=1", "must not contain ? or #"),
            ("http://169.254.169.254", "link-local or metadata address"),
            ("http://me:secret@x.example", "must not contain a user or password"),
            ("http://x.example:port", "is not an http(s) URL"),
        ],
    )
    def test_error_is_one_sentence(self, word: str, why: str) -> None:
        result = CliRunner().invoke(courtside, [word], prog_name="courtside")

        assert result.exit_code == 2
        assert result.output.startswith("courtside: ")
        assert result.output.count("\n") == 1
        assert why in result.output
        assert "secret" not in result.output

    def test_is_added_to_the_agents_of_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        toml = "\n[agents.travel]\nurl = 'http://localhost:9001'\n"
        Path("courtside.toml").write_text(toml)

        words = (
            "localhost:9001",
            "http://b.example/travel",
            "http://b.example/travel/",
        )
        agents = json.loads(run("config", *words, "--json"))["agents"]

        assert [(name, agents[name]["url"]) for name in agents] == [
            ("travel", "http://localhost:9001"),
            ("travel-2", "http://b.example/travel"),
        ]
        where = agents["travel"]["from"]
        assert where == f"{tmp_path}/courtside.toml, line 2: agents.travel"


class TestConfig:
    def test_prints_the_source_of_each_setting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COURTSIDE_LOG", "memory")
        Path("courtside.toml").write_text("[host]\nlog = 'sqlite'\nkeep_s = 60\n")

        settings = json.loads(run("config", "--port", "9000", "--json"))["settings"]

        assert list(settings) == [setting.name for setting in SETTINGS]
        assert settings["port"] == {"value": "9000", "from": "--port"}
        assert settings["log"] == {"value": "memory", "from": "COURTSIDE_LOG"}
        file = f"{tmp_path}/courtside.toml, line 3: host.keep_s"
        assert settings["keep_s"] == {"value": "60", "from": file}
        assert settings["keep_events"] == {"value": "1000000", "from": "default"}

    def test_never_prints_a_secret(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COURTSIDE_AGENT_CARLY_BEARER", "geheim-1")
        toml = """
            [agents.carly]
            url = "http://localhost:9001"
            credentials = { api_key = "geheim-2" }
        """
        Path("courtside.toml").write_text(toml)

        for output in (run("config"), run("config", "--json")):
            assert "geheim" not in output
            assert "bearer" in output
            assert "api_key" in output

    def test_prints_defaults(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in AGENTS:
            monkeypatch.delenv(f"{name.upper()}_PORT", raising=False)

        lines = run("config").splitlines()

        assert lines[1].split() == ["port", "8000", DEFAULT]
        last = AGENTS[-1]
        url = f"http://127.0.0.1:{STUBS[last].port}"
        assert lines[-1].split() == [f"agents.{last}", url, DEFAULT]


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_has_a_script_for_each_shell(self, shell: str) -> None:
        assert "_COURTSIDE_COMPLETE" in run("completion", shell)

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("courtside ", [*COMMANDS]),
            ("courtside ex", ["export"]),
            ("courtside --de", ["--demo"]),
            ("courtside tail --ki", ["--kind"]),
            ("courtside tail --kind g", ["gap"]),
            ("courtside localhost:9000 --op", ["--open"]),
        ],
    )
    def test_completes_commands_and_options(self, words: str, found: list[str]) -> None:
        done = cli.courtside(
            _COURTSIDE_COMPLETE="bash_complete",
            COMP_WORDS=words,
            COMP_CWORD=str(words.count(" ")),
        )

        offered = [line.partition(",")[2] for line in done.stdout.splitlines()]
        assert offered == found


def test_host_without_agents_logs_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ports = {f"{name.upper()}_PORT": str(free_port()) for name in AGENTS}
    nobody = read({}, ports, tmp_path)

    with caplog.at_level(logging.WARNING):
        log_hint(nobody)

    assert "courtside --demo" in caplog.text
    assert "courtside http://localhost:9000" in caplog.text
    assert ports["NANCY_PORT"] in caplog.text


def test_failed_command_prints_one_line_and_exits_with_1(tmp_path: Path) -> None:
    port = free_port()
    for words in (
        ("tail", f"localhost:{port}"),
        ("export", f"localhost:{port}"),
        ("import", "nothing.ndjson"),
        ("replay", "nothing.ndjson"),
        ("--config", "nothing.toml"),
    ):
        done = cli.courtside(*words, cwd=tmp_path)

        assert done.returncode == 1, words
        assert done.stdout == ""
        assert done.stderr.startswith("courtside: ")
        assert done.stderr.count("\n") == 1
        assert str(port) in done.stderr or "nothing" in done.stderr


class RedirectingHost(BaseHTTPRequestHandler):
    """Requires a token, and redirects a request that has one."""

    shown: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.shown.append(self.headers["Authorization"])
        self.send_response(302 if self.shown[-1] else 401)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.mark.parametrize("command", ["tail", "export"])
def test_token_is_requested_and_sent_only_to_the_host(command: str) -> None:
    RedirectingHost.shown.clear()
    with HTTPServer(("127.0.0.1", 0), RedirectingHost) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{host.server_port}"
        without = cli.courtside(command, url)
        refused = cli.courtside(command, url, COURTSIDE_TOKEN="geheim")
        host.shutdown()

    assert without.returncode == refused.returncode == 1
    assert "requires a token: set COURTSIDE_TOKEN" in without.stderr
    assert f"the host at {url} responded with 302" in refused.stderr
    assert "geheim" not in refused.stderr
    assert RedirectingHost.shown == [None, "Bearer geheim"]


def test_unknown_option_exits_with_2() -> None:
    done = cli.courtside("tail", "--loud")

    assert done.returncode == 2
    assert "--loud" in done.stderr


def test_settings_md_lists_each_host_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = []
    for one in SETTINGS:
        default = f"`{one.default}`" if one.default else ""
        cells = (f"`{one.flag}`", f"`{one.variable}`", f"`{one.name}`", default)
        rows.append(f"| {' | '.join((*cells, one.help))} |\n")
    table = "".join(rows)

    assert f"|\n{table}\n" in page, f"docs/settings.md is to have:\n{table}"
