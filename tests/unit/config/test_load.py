"""Tests of host/config/load.py: sources of settings and their precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.stubs import STUBS
from host.config.agent_settings import AgentSettings
from host.config.load import Config, read, read_agents
from tests.support.settings_files import write_file


class TestDefaults:
    def test_apply_without_file_and_variables(self, tmp_path: Path) -> None:
        found = read({}, {}, tmp_path)

        assert (found.host, found.port, found.log) == ("127.0.0.1", 8000, "sqlite")
        assert found.data_dir == tmp_path / ".courtside"

    def test_are_the_stubs_at_their_own_ports(self, tmp_path: Path) -> None:
        assert read({}, {}, tmp_path).agents == {
            name: AgentSettings(f"http://127.0.0.1:{stub.port}")
            for name, stub in STUBS.items()
        }

    def test_use_the_port_variables_of_the_procfile(self, tmp_path: Path) -> None:
        found = read({}, {"WALTER_PORT": "9002", "LOGAN_PORT": ""}, tmp_path)

        assert found.agents["walter"].url == "http://127.0.0.1:9002"
        assert found.agents["logan"].url == "http://127.0.0.1:8003"

    def test_keep_a_million_events_of_any_age(self, tmp_path: Path) -> None:
        found = read({}, {}, tmp_path)

        assert (found.keep_events, found.keep_s) == (1_000_000, None)

    def test_are_frozen(self, tmp_path: Path) -> None:
        found = read({}, {}, tmp_path)

        with pytest.raises(AttributeError):
            found.port = 1  # type: ignore[misc]


FILE = """
[host]
host = "::1"
port = 7000
data_dir = "file"
log = "memory"
"""
VARIABLES = {
    "COURTSIDE_HOST": "localhost",
    "COURTSIDE_PORT": "7001",
    "COURTSIDE_DATA_DIR": "variable",
    "COURTSIDE_LOG": "sqlite",
}
FLAGS = {"host": "127.0.0.1", "port": "7002", "data_dir": "flag", "log": "memory"}


def values_of(found: Config) -> tuple[str, int, str, str]:
    return found.host, found.port, found.data_dir.name, found.log


class TestPrecedence:
    def test_file_overrides_default(self, tmp_path: Path) -> None:
        write_file(tmp_path, FILE)

        assert values_of(read({}, {}, tmp_path)) == ("::1", 7000, "file", "memory")

    def test_variable_overrides_file(self, tmp_path: Path) -> None:
        write_file(tmp_path, FILE)

        found = read({}, VARIABLES, tmp_path)

        assert values_of(found) == ("localhost", 7001, "variable", "sqlite")

    def test_flag_overrides_variable(self, tmp_path: Path) -> None:
        write_file(tmp_path, FILE)

        found = read(FLAGS, VARIABLES, tmp_path)

        assert values_of(found) == ("127.0.0.1", 7002, "flag", "memory")

    def test_each_setting_has_its_own_source(self, tmp_path: Path) -> None:
        write_file(tmp_path, FILE)

        found = read({"port": "7002"}, {"COURTSIDE_LOG": "sqlite"}, tmp_path)

        assert values_of(found) == ("::1", 7002, "file", "sqlite")

    def test_empty_variable_counts_as_unset(self, tmp_path: Path) -> None:
        found = read({}, dict.fromkeys(VARIABLES, ""), tmp_path)

        assert values_of(found) == ("127.0.0.1", 8000, ".courtside", "sqlite")

    def test_agents_of_the_file_replace_the_default_agents(
        self, tmp_path: Path
    ) -> None:
        write_file(tmp_path, '[agents.zoe]\nurl = "http://127.0.0.1:9/base/"\n')

        assert read({}, {}, tmp_path).agents == {
            "zoe": AgentSettings("http://127.0.0.1:9/base")
        }

    @pytest.mark.parametrize("how", ["flag", "variable"])
    def test_flag_or_variable_names_another_file(
        self, tmp_path: Path, how: str
    ) -> None:
        write_file(tmp_path, "[host]\nport = 1\n")
        (tmp_path / "other.toml").write_text("[host]\nport = 2\n")
        flags = {"config": "other.toml"} if how == "flag" else {}
        environ = {"COURTSIDE_CONFIG": "other.toml"} if how == "variable" else {}

        assert read(flags, environ, tmp_path).port == 2


class TestReloadingAgents:
    def test_reads_the_same_file(self, tmp_path: Path) -> None:
        found = read(
            {"config": "other.toml"}, {}, write_other_file(tmp_path, "http://a")
        )
        write_other_file(tmp_path, "http://b")

        assert found.file
        assert read_agents(found.file, {})["zoe"].url == "http://b"

    def test_reads_a_file_created_after_the_start(self, tmp_path: Path) -> None:
        found = read({}, {}, tmp_path)
        write_file(tmp_path, "[agents.zoe]\nurl = 'http://a'\n")

        assert found.file
        assert list(read_agents(found.file, {})) == ["zoe"]

    def test_returns_default_agents_after_the_file_is_removed(
        self, tmp_path: Path
    ) -> None:
        found = read_agents(tmp_path / "gone.toml", {"WALTER_PORT": "9002"})

        assert found["walter"].url == "http://127.0.0.1:9002"

    def test_unchanged_agents_have_equal_settings(self, tmp_path: Path) -> None:
        text = "[agents.zoe]\nurl = 'http://a'\ncredentials.bearer = 'abc'\n"
        path = write_file(tmp_path, text)

        assert read_agents(path, {}) == read({}, {}, tmp_path).agents
        assert read_agents(write_file(tmp_path, text.replace("abc", "abd")), {}) != (
            read_agents(write_file(tmp_path, text), {})
        )


def write_other_file(folder: Path, url: str) -> Path:
    (folder / "other.toml").write_text(f"[agents.zoe]\nurl = '{url}'\n")
    return folder


class TestDefaultAgents:
    def test_get_credentials_from_variables(self, tmp_path: Path) -> None:
        found = read({}, {"COURTSIDE_AGENT_CARLY_BEARER": "abc"}, tmp_path)

        assert found.agents["carly"].credentials.bearer == "abc"
        assert found.agents["walter"].credentials.bearer is None


TOKEN, READ_TOKEN = "operator-0123456789", "reader-0123456789"


def test_lists_work_in_the_file_and_in_variables(tmp_path: Path) -> None:
    write_file(tmp_path, "[host]\nallowed_hosts = ['A.example', 'b.example']\n")
    token = {"COURTSIDE_TOKEN": TOKEN}
    variable = {"COURTSIDE_ALLOWED_HOSTS": "a.example, b.example"}

    for environ in (token, token | variable):
        found = read({}, environ, tmp_path)
        assert found.access.allowed_hosts == ("a.example", "b.example")
