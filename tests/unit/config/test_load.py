"""Tests of host/config/load.py: sources of settings, their precedence, and errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.stubs import STUBS
from host.config.agent_settings import AgentSettings
from host.config.load import Config, read, read_agents
from host.errors import ConfigError
from host.plans.default_plan import get_default_plans
from host.plans.plan import Step
from tests.support.stack import AGENTS


def write_file(folder: Path, text: str) -> Path:
    path = folder / "courtside.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read_error(folder: Path, text: str) -> str:
    """Return the error for a courtside.toml that contains `text`."""
    write_file(folder, text)
    with pytest.raises(ConfigError) as refused:
        read({}, {}, folder)
    return str(refused.value)


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


@pytest.mark.parametrize(
    ("text", "line", "key", "fix"),
    [
        # Tables and keys
        ("[hots]\nport = 1\n", 1, "hots", "use host, agents, plans"),
        ("\n\nport = 1\n", 3, "port", "use host, agents, plans"),
        ("[host]\nprot = 8000\n", 2, "host.prot", "port"),
        ("[host]\n\n# why\n'prot' = 1\n", 4, "host.prot", "port"),
        ("host = 1\n", 1, "host", "[host]"),
        ("\n[[agents]]\nurl = 'http://a'\n", 2, "agents", "[agents]"),
        # [host]
        ("[host]\nport = 0\n", 2, "host.port", "1 to 65535"),
        ("[host]\nport = 65536\n", 2, "host.port", "1 to 65535"),
        ("[host]\nport = -1\n", 2, "host.port", "1 to 65535"),
        ('[host]\nport = "http"\n', 2, "host.port", "1 to 65535"),
        ('[host]\nport = "²"\n', 2, "host.port", "1 to 65535"),
        ("[host]\nport = 80.5\n", 2, "host.port", "1 to 65535, not 80.5"),
        ("[host]\nport = true\n", 2, "host.port", "1 to 65535, not True"),
        ("[host]\nport = [1]\n", 2, "host.port", "1 to 65535, not [1]"),
        ("[host]\nlog = 'postgres'\n", 2, "host.log", "sqlite or memory"),
        ("[host]\nkeep_events = -1\n", 2, "host.keep_events", "0 or more"),
        ("[host]\nkeep_s = 'long'\n", 2, "host.keep_s", "a whole number"),
        ("[host]\n\nhost = '0.0.0.0'\n", 3, "host.host", "courtside.token"),
        ("[host]\nhost = '192.0.2.1'\n", 2, "host.host", "courtside.token"),
        (
            "[host]\nallowed_hosts = ['a/b']\n",
            2,
            "host.allowed_hosts",
            "without scheme",
        ),
        ("[host]\nallowed_hosts = [1]\n", 2, "host.allowed_hosts", "host names"),
        ("[host]\ntrusted_proxies = ['x']\n", 2, "host.trusted_proxies", "10.0.0.2"),
        (
            "[host]\nallowed_origins = ['*']\n",
            2,
            "host.allowed_origins",
            "origins without",
        ),
        ("[host]\nprivate_agents = 'ja'\n", 2, "host.private_agents", "auto"),
        ("[host]\ntoken = 'short'\n", 2, "host.token", "16 or more"),
        ("[host]\ntoken = 'env:NOPE'\n", 2, "host.token", "not set"),
        ("[host]\ntoken = 'file:nope'\n", 2, "host.token", "cannot be read"),
        # [agents.…]
        ("[agents.Carly]\nurl = 'http://a'\n", 1, "agents.Carly", "lower-case letters"),
        ("[agents.host]\nurl = 'http://a'\n", 1, "agents.host", "lower-case letters"),
        ("[agents.'a b']\nurl = 'http://a'\n", 1, "agents.a b", "lower-case letters"),
        ("\n[agents.'a.b']\nurl = 'http://a'\n", 2, "agents.a.b", "lower-case letters"),
        ("\n\n[agents.carly]\n", 3, "agents.carly", "needs url: an http(s) URL"),
        ("[agents]\ncarly = 8001\n", 2, "agents.carly", "must be a table"),
        ("[agents]\ncarly = {port = 1}\n", 2, "agents.carly.port", "use url"),
        (
            "[agents.a]\nurl = 'http://a'\n[agents.b]\nurl = 'http://b'\ntoken = ''\n",
            5,
            "agents.b.token",
            "use url",
        ),
        ("[agents.a]\nurl = 'ftp://a'\n", 2, "agents.a.url", "http://127.0.0.1:8001"),
        ("[agents.a]\nurl = '127.0.0.1:80'\n", 2, "agents.a.url", "http://127.0.0.1"),
        ("[agents.a]\nurl = 'http://'\n", 2, "agents.a.url", "http://127.0.0.1"),
        ("[agents.a]\nurl = 'http://a:99999'\n", 2, "agents.a.url", "http://127.0"),
        ("[agents.a]\nurl = 'http://['\n", 2, "agents.a.url", "http://127.0.0.1"),
        ("[agents.a]\nurl = 'http://me:secret@a'\n", 2, "agents.a.url", "password"),
        ("[agents.a]\nurl = ''\n", 2, "agents.a.url", "http://127.0.0.1:8001"),
        ("[agents.a]\nurl = 8001\n", 2, "agents.a.url", "http://127.0.0.1:8001"),
        ("[agents]\na = {url = 'x'}\n", 2, "agents.a.url", "http://127.0.0.1:8001"),
        ("[agents]\na.url = 'x'\n", 2, "agents.a.url", "http://127.0.0.1:8001"),
        ("agents.a.url = 'x'\n", 1, "agents.a.url", "http://127.0.0.1:8001"),
        ("[ agents . a ]\nurl = 'x'\n", 2, "agents.a.url", "http://127.0.0.1:8001"),
        # [plans.…]
        ("plans = 1\n", 1, "plans", "[plans]"),
        ("[plans.p]\nname = 'x'\n", 1, "plans.p", "[plans.p.steps.calendar]"),
        (
            "[plans.p.steps.one]\nagent = 'carly'\nneeds = ['two']\n",
            3,
            "plans.p.steps.one.needs",
            "is not a step of this plan: use one",
        ),
        (
            "[agents.zoe]\nurl = 'http://z'\n[plans.p.steps.one]\nagent = 'carly'\n",
            4,
            "plans.p.steps.one.agent",
            "is 'carly', which is not a known agent: use zoe",
        ),
        (
            "[plans.p.steps]\n\none = {agent = 'carly', message = '{two}'}\n",
            3,
            "plans.p.steps.one.message",
            "neither {request} nor a step",
        ),
        (
            "[plans.p]\nplanner = 'no_such_module:make'\n",
            2,
            "plans.p.planner",
            "cannot be imported",
        ),
    ],
)
def test_error_names_file_line_key_and_fix(
    tmp_path: Path, text: str, line: int, key: str, fix: str
) -> None:
    said = read_error(tmp_path, text)

    assert said.startswith(f"{tmp_path / 'courtside.toml'}, line {line}: {key}")
    assert fix in said.removeprefix(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "line"),
    [("[host\n", 1), ("[host]\nport = \n", 2), ("a = 1\n\na = 2\n", 3), ("\n= 1", 2)],
)
def test_invalid_toml_error_names_the_line(
    tmp_path: Path, text: str, line: int
) -> None:
    said = read_error(tmp_path, text)

    assert said.startswith(f"{tmp_path / 'courtside.toml'}: is not TOML: ")
    assert f"line {line}" in said


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read({"config": "gone.toml"}, {}, tmp_path)

    assert str(refused.value).startswith(f"{tmp_path / 'gone.toml'}: cannot be read: ")


def test_error_names_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "courtside.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"courtside\.toml: cannot be read"):
        read({}, {}, tmp_path)


@pytest.mark.parametrize(
    ("flags", "environ", "where"),
    [
        ({"port": "http"}, {}, "--port must be a port, 1 to 65535, not 'http'"),
        ({"port": "²"}, {}, "--port must be a port, 1 to 65535, not '²'"),
        (
            {},
            {"COURTSIDE_PORT": "0"},
            "COURTSIDE_PORT must be a port, 1 to 65535",
        ),
        ({}, {"NANCY_PORT": "x"}, "NANCY_PORT must be a port, 1 to 65535, not 'x'"),
        (
            {"keep_events": "1e6"},
            {},
            "--keep-events must be a whole number",
        ),
        (
            {},
            {"COURTSIDE_KEEP_S": "-1"},
            "COURTSIDE_KEEP_S must be a whole",
        ),
        ({"log": "redis"}, {}, "--log must be sqlite or memory, not 'redis'"),
        ({"host": "0.0.0.0"}, {}, "--host: other machines can reach 0.0.0.0"),
        ({}, {"COURTSIDE_HOST": "x"}, "COURTSIDE_HOST: other machines can reach x"),
        ({"host": "a b"}, {}, "--host must be an address: 127.0.0.1 for this machine"),
    ],
)
def test_error_names_the_flag_or_variable(
    tmp_path: Path, flags: dict[str, str], environ: dict[str, str], where: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(flags, environ, tmp_path)

    assert str(refused.value).startswith(where)


@settings(derandomize=True, deadline=None)
@given(st.text("[]ahosturl.=\"'{}# \n1:/", max_size=40))
def test_any_file_is_accepted_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_file(folder, text)

    try:
        read({}, {}, folder)
    except ConfigError as refused:
        assert re.match(rf"{re.escape(str(folder))}/courtside.toml[:,] ", str(refused))


PLAN = (
    "[plans.ask]\nexamples = ['Ask everyone']\n[plans.ask.steps.one]\nagent = 'zoe'\n"
)
ZOE = "[agents.zoe]\nurl = 'http://127.0.0.1:9'\n"


class TestPlans:
    def test_exist_by_default_for_the_default_agents(self, tmp_path: Path) -> None:
        assert read({}, {}, tmp_path).plans == get_default_plans(AGENTS)

    def test_do_not_exist_by_default_for_other_agents(self, tmp_path: Path) -> None:
        write_file(tmp_path, ZOE)

        assert read({}, {}, tmp_path).plans == {}

    def test_of_the_file_replace_the_default_plan(self, tmp_path: Path) -> None:
        write_file(tmp_path, ZOE + PLAN)

        plan = read({}, {}, tmp_path).plans["ask"]

        assert plan.examples == ("Ask everyone",)
        assert plan.steps == {"one": Step("one", "zoe")}

    def test_are_disabled_by_an_empty_table(self, tmp_path: Path) -> None:
        write_file(tmp_path, "[plans]\n")

        assert read({}, {}, tmp_path).plans == {}

    def test_can_use_the_default_agents(self, tmp_path: Path) -> None:
        write_file(tmp_path, PLAN.replace("zoe", "walter"))

        assert read({}, {}, tmp_path).plans["ask"].steps["one"].agent == "walter"

    def test_planner_is_imported_from_the_folder_of_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        monkeypatch.setattr("sys.path", [*sys.path])
        (folder / "beside_the_file.py").write_text("def make(request, agents): ...\n")
        (folder / "mine.toml").write_text(
            "[plans.p]\nplanner = 'beside_the_file:make'\n"
        )

        found = read({"config": "elsewhere/mine.toml"}, {}, tmp_path)

        planner = found.plans["p"].planner
        assert planner and planner.name == "beside_the_file:make"

    def test_are_not_checked_when_agents_are_reloaded(self, tmp_path: Path) -> None:
        path = write_file(tmp_path, ZOE + PLAN.replace("zoe", "gone"))

        assert list(read_agents(path, {})) == ["zoe"]


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


class TestHostToken:
    @pytest.mark.parametrize("given", [TOKEN, "env:SECRET", "file:secret.txt"])
    def test_can_be_in_the_file_in_a_variable_or_in_a_separate_file(
        self, tmp_path: Path, given: str
    ) -> None:
        (tmp_path / "secret.txt").write_text(f"{TOKEN}\n", encoding="utf-8")
        write_file(tmp_path, f"[host]\ntoken = '{given}'\n")

        found = read({}, {"SECRET": TOKEN}, tmp_path)
        by_variable = read({}, {"SECRET": TOKEN, "COURTSIDE_TOKEN": given}, tmp_path)

        assert found.access.token == by_variable.access.token == TOKEN

    def test_is_refused_as_a_flag_that_every_user_can_read(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(
            ConfigError, match="--token is visible to every user"
        ) as refused:
            read({"token": TOKEN}, {}, tmp_path)

        assert TOKEN not in str(refused.value)
        found = read({"token": "env:SECRET"}, {"SECRET": TOKEN}, tmp_path)
        assert found.access.token == TOKEN

    def test_never_appears_in_an_error_or_repr(self, tmp_path: Path) -> None:
        bad = "no blanks, please: 0123456789"
        with pytest.raises(ConfigError) as refused:
            read({}, {"COURTSIDE_TOKEN": bad}, tmp_path)

        found = read({}, {"COURTSIDE_TOKEN": TOKEN}, tmp_path)

        assert bad not in str(refused.value)
        assert TOKEN not in repr(found)

    @pytest.mark.parametrize(
        ("environ", "why"),
        [
            ({"COURTSIDE_READ_TOKEN": READ_TOKEN}, "read_token needs token"),
            ({"COURTSIDE_TOKEN": TOKEN, "COURTSIDE_READ_TOKEN": TOKEN}, "use two"),
            ({"COURTSIDE_TLS_CERT": "a.pem"}, "or neither"),
            ({"COURTSIDE_ALLOWED_HOSTS": "a.example"}, "no token"),
            ({"COURTSIDE_TRUSTED_PROXIES": "127.0.0.1"}, "no token"),
        ],
    )
    def test_is_required_if_other_machines_have_access(
        self, tmp_path: Path, environ: dict[str, str], why: str
    ) -> None:
        with pytest.raises(ConfigError, match=why):
            read({}, environ, tmp_path)

    def test_allows_listening_to_other_machines(self, tmp_path: Path) -> None:
        found = read({"host": "0.0.0.0"}, {"COURTSIDE_TOKEN": TOKEN}, tmp_path)

        assert found.host == "0.0.0.0"

    def test_command_in_the_error_creates_a_token(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as refused:
            read({"host": "0.0.0.0"}, {}, tmp_path)
        make, _, start, _ = str(refused.value).splitlines()[1:]

        subprocess.run(["sh", "-c", make.strip()], cwd=tmp_path, check=True)
        host, token = start.split()[2], start.split()[4]
        found = read({"host": host, "token": token}, {}, tmp_path)

        assert len(found.access.token) == 64
        assert (tmp_path / "courtside.token").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("host", "environ", "may"),
    [
        ("127.0.0.1", {}, True),
        ("0.0.0.0", {}, False),
        ("127.0.0.1", {"COURTSIDE_ALLOWED_HOSTS": "a.example"}, False),
        ("0.0.0.0", {"COURTSIDE_PRIVATE_AGENTS": "yes"}, True),
        ("127.0.0.1", {"COURTSIDE_PRIVATE_AGENTS": "no"}, False),
    ],
)
def test_exposed_host_refuses_added_agents_at_private_addresses(
    tmp_path: Path, host: str, environ: dict[str, str], may: bool
) -> None:
    found = read({"host": host}, environ | {"COURTSIDE_TOKEN": TOKEN}, tmp_path)

    assert found.access.private_agents is may


def test_lists_work_in_the_file_and_in_variables(tmp_path: Path) -> None:
    write_file(tmp_path, "[host]\nallowed_hosts = ['A.example', 'b.example']\n")
    token = {"COURTSIDE_TOKEN": TOKEN}
    variable = {"COURTSIDE_ALLOWED_HOSTS": "a.example, b.example"}

    for environ in (token, token | variable):
        found = read({}, environ, tmp_path)
        assert found.access.allowed_hosts == ("a.example", "b.example")
