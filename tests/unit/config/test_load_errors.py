"""Tests that errors in the settings name their place and the fix.

host/config/load.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.config.load import read
from host.errors import ConfigError
from tests.support.settings_files import read_error, write_file


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
    error = read_error(tmp_path, text)

    assert error.startswith(f"{tmp_path / 'courtside.toml'}, line {line}: {key}")
    assert fix in error.removeprefix(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "line"),
    [("[host\n", 1), ("[host]\nport = \n", 2), ("a = 1\n\na = 2\n", 3), ("\n= 1", 2)],
)
def test_invalid_toml_error_names_the_line(
    tmp_path: Path, text: str, line: int
) -> None:
    error = read_error(tmp_path, text)

    assert error.startswith(f"{tmp_path / 'courtside.toml'}: is not TOML: ")
    assert f"line {line}" in error


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
