"""Tests of the agents in courtside.toml.

They also compare docs/settings.md with the code.
"""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.config import toml_file
from host.config.agent_settings import (
    AgentSettings,
    CredentialSettings,
    check_card,
    check_name,
    check_url,
)
from host.config.toml_file import SettingsFile
from host.errors import ConfigError
from tests.support.harness import ROOT

SECRET = "hunter2hunter2"


def agent(
    folder: Path, text: str, environ: dict[str, str] | None = None
) -> AgentSettings:
    """Read an agent from a courtside.toml that has `text` below its URL."""
    return agents(folder, f"[agents.carly]\nurl = 'https://c.test'\n{text}", environ)[
        "carly"
    ]


def agents(
    folder: Path, text: str, environ: dict[str, str] | None = None
) -> dict[str, AgentSettings]:
    path = folder / "courtside.toml"
    path.write_text(text, encoding="utf-8")
    return SettingsFile.read(path).agents(environ or {})


class TestAgent:
    def test_needs_only_a_url(self, tmp_path: Path) -> None:
        assert agent(tmp_path, "") == AgentSettings("https://c.test")

    def test_can_have_a_card_and_trusted_hosts(self, tmp_path: Path) -> None:
        found = agent(
            tmp_path, "card = '/my/agent.json'\ntrusted_hosts = ['api.test', '::1']"
        )

        assert found.card == "/my/agent.json"
        assert found.trusted_hosts == ("api.test", "::1")

    @pytest.mark.parametrize("seconds", [0, 1, 0.5, 86_400])
    def test_can_set_when_a_task_is_stalled(
        self, tmp_path: Path, seconds: float
    ) -> None:
        found = agent(tmp_path, f"stalled_after_s = {seconds}")

        assert found.stalled_after_s == seconds
        assert agent(tmp_path, "").stalled_after_s == 300

    def test_can_have_pauses_between_polls(self, tmp_path: Path) -> None:
        found = agent(tmp_path, "poll_s = 1\npoll_idle_s = 600.5")

        assert (found.poll_s, found.poll_idle_s) == (1, 600.5)

    def test_shortest_pause_above_the_longest_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"poll_idle_s must be at least poll_s"):
            agent(tmp_path, "poll_s = 90")

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("stalled_after_s = -1", "stalled_after_s"),
            ("stalled_after_s = '5 min'", "stalled_after_s"),
            ("stalled_after_s = nan", "stalled_after_s"),
            ("stalled_after_s = true", "stalled_after_s"),
            ("poll_s = 0", "poll_s"),
            ("poll_s = '1'", "poll_s"),
            ("poll_s = nan", "poll_s"),
            ("poll_s = true", "poll_s"),
            ("poll_idle_s = 3601", "poll_idle_s"),
            ("max_tasks = 0", "max_tasks"),
            ("max_tasks = 1.5", "max_tasks"),
            ("poll_idle_s = inf", "poll_idle_s"),
            ("card = 'agent.json'", "card"),
            ("card = '//other.test/card'", "card"),
            ("card = '/a b'", "card"),
            ("card = 'http://me:pw@c.test/card'", "card"),
            ("card = 'http://169.254.169.254/card'", "card"),
            ("card = 0", "card"),
            ("card = ''", "card"),
            ("trusted_hosts = 'api.test'", "trusted_hosts"),
            ("trusted_hosts = ['https://api.test']", "trusted_hosts"),
            ("trusted_hosts = ['api.test:443']", "trusted_hosts"),
            ("trusted_hosts = ['*']", "trusted_hosts"),
            ("trusted_hosts = ['me@api.test']", "trusted_hosts"),
            ("trusted_hosts = ['']", "trusted_hosts"),
            ("trusted_hosts = [1]", "trusted_hosts"),
            ("credentials = 'abc'", "credentials"),
            ("credentials.token = 'abc'", "credentials.token"),
        ],
    )
    def test_error_names_the_line(self, tmp_path: Path, text: str, key: str) -> None:
        with pytest.raises(ConfigError) as refused:
            agent(tmp_path, text)

        assert f"courtside.toml, line 3: agents.carly.{key} " in str(refused.value)


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "http://169.254.169.254",
            "http://169.254.0.1:8001/a2a",
            "http://[fe80::1]",
            "http://[fe80::1%25eth0]",
            "http://[::ffff:169.254.169.254]",
            "http://[64:ff9b::169.254.169.254]",
            "http://[2002:a9fe:a9fe::1]",
            "http://2852039166",
            "http://0xa9fea9fe",
            "http://0xa9.0xfe.0xa9.0xfe",
            "http://0251.0376.0251.0376",
            "http://169.254.43518",
            "http://100.100.100.200",
            "http://[fd00:ec2::254]",
            "http://metadata.google.internal",
            "http://METADATA.google.internal.:80/",
            "http://169。254。169。254",
            "http://①⑥⑨.254.169.254",
        ],
    )
    def test_is_refused_for_link_local_and_metadata_addresses(self, url: str) -> None:
        with pytest.raises(ConfigError):
            check_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:8001",
            "http://[::1]:8001",
            "https://a.test/b/c.json",
            "http://10.0.0.1",
            "http://bücher.test",
            "http://0x7f000001",
        ],
    )
    def test_is_accepted_for_other_addresses(self, url: str) -> None:
        assert check_url(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            "http://a\nb",
            "http://a\t",
            " http://a",
            "http://a\\@b",
            "http://a b",
            "http://a?key=1",
            "http://a/#x",
            "http://" + "a" * 3000,
            "//a",
            None,
            "http://xn--/",
            "http://a:b",
            "http://a:-1",
            "http://[::1",
            "HTTP:a",
        ],
    )
    def test_is_refused_if_invalid(self, url: object) -> None:
        with pytest.raises(ConfigError):
            check_url(url)

    @pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
    def test_password_is_refused_and_not_shown(self, scheme: str) -> None:
        with pytest.raises(ConfigError) as refused:
            check_url(f"{scheme}://me:{SECRET}@a.test")

        assert SECRET not in str(refused.value)

    @settings(derandomize=True, deadline=None)
    @given(st.text(max_size=30), st.sampled_from(["", "http://", "https://[", "/"]))
    def test_any_text_is_accepted_or_refused(self, text: str, start: str) -> None:
        for check in (check_url, check_card, check_name):
            try:
                assert check(start + text)
            except ConfigError as refused:
                assert len(str(refused)) < 1000


def test_examples_in_settings_md_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    samples = re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)
    environ = dict.fromkeys(re.findall(r"env:(\w+)", page), "value")

    assert samples
    for sample in samples:
        assert agents(tmp_path, sample, environ)


@pytest.mark.parametrize(
    "name",
    [
        *CredentialSettings.__struct_fields__,
        "url",
        "card",
        "trusted_hosts",
        "poll_s",
        "poll_idle_s",
        "max_tasks",
    ],
)
def test_settings_md_lists_each_agent_setting(name: str) -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")

    assert f"`{name}`" in page


def test_python_3_10_reads_the_file_with_tomli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = vars(toml_file)["tomllib"]
    monkeypatch.setattr(sys, "version_info", (3, 10, 0, "final", 0))
    monkeypatch.setitem(sys.modules, "tomli", stand_in)
    path = tmp_path / "courtside.toml"
    path.write_text("[host]\nport = 7000\n")

    spec = spec_from_file_location("host.config.on_3_10", toml_file.__file__)
    assert spec and spec.loader
    on_3_10 = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, on_3_10)
    spec.loader.exec_module(on_3_10)

    assert vars(on_3_10)["tomllib"] is stand_in
    read = on_3_10.SettingsFile.read(path)
    assert read.host["port"] == 7000
