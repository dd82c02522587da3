"""Fuzz tests: any setting is accepted, or refused with an error that names it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from host.config.address_rules import is_link_local
from host.config.agent_name import suggest_name
from host.config.agent_settings import (
    check_card,
    check_name,
    check_url,
)
from host.config.conversion import convert
from host.config.load import read
from host.config.settings import SETTINGS
from host.config.toml_file import AgentTable
from host.errors import ConfigError
from tests.fuzz import hostile
from tests.fuzz.many import fuzz

HOSTS = ["127.0.0.1", "[::1]", "169.254.169.254", "0xa9fea9fe", "[::ffff:a9fe:a9fe]"]
HOSTS += ["a.example", "metadata", "[", "[::1%25lo]", "münchen.example", "xn--a"]
urls = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp", "", "http:"]),
    st.sampled_from(HOSTS) | hostile.text,
    st.sampled_from(["", ":80", ":0", ":99999", ":x", "@a"]),
    st.sampled_from(["", "/", "/a2a", "/a/../b", "?k=v", "#f"]) | hostile.text,
)
KEYS = [
    "host",
    "agents",
    "plans",
    "carly",
    "walter",
    "url",
    "card",
    "credentials",
    "bearer",
    "headers",
    "scopes",
    "trusted_hosts",
    "poll_s",
    "poll_idle_s",
    "api_key",
    "api_key_in",
    "port",
    "log",
    "keep_events",
    "steps",
    "agent",
    "message",
    "needs",
    "retries",
    "x y",
    "timeout_s",
    "on_failure",
    "name",
    "examples",
    "planner",
    "output",
]
values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | hostile.text
    | st.sampled_from(["http://127.0.0.1:8001", "carly", "env:HOME", "env:NONE", "8"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)
tables = st.dictionaries(st.sampled_from(KEYS[:3]), values, max_size=3)


def to_toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)} = {to_toml(v)}" for k, v in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    return json.dumps(value).replace("\\ud", "\\uD").replace("\x7f", "\\u007f")


def to_file(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {to_toml(value)}" for key, value in table.items())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


def accept_or_refuse(folder: Path, content: bytes, **flags: str) -> None:
    (folder / "courtside.toml").write_bytes(content)
    try:
        read(flags, {}, folder)
    except ConfigError as error:
        said = str(error)
        assert said
        assert "\n" not in said.strip()


class TestFile:
    @fuzz(tables)
    def test_with_any_settings_is_accepted_or_refused(
        self, folder: Path, table: dict[str, Any]
    ) -> None:
        accept_or_refuse(folder, to_file(table).encode("utf-8", "replace"))

    @fuzz(hostile.raw | hostile.text.map(lambda text: text.encode("utf-8", "replace")))
    def test_with_any_content_is_refused(self, folder: Path, content: bytes) -> None:
        accept_or_refuse(folder, content)

    @pytest.mark.parametrize(
        "text",
        [
            "[host]\nport = " + "9" * 5_000,
            "[host]\nport = 0x" + "f" * 5_000,
            "a = " + "[" * 5_000,
            "[host]\nport = 1979-05-27T07:32:00Z",
        ],
    )
    def test_with_a_huge_value_is_refused(self, folder: Path, text: str) -> None:
        accept_or_refuse(folder, text.encode())


@fuzz(st.sampled_from([one.name for one in SETTINGS]), hostile.text)
def test_any_flag_is_accepted_or_refused(name: str, text: str) -> None:
    if "\x00" in text:
        return  # No command line can hold it.
    try:
        read({name: text}, {}, Path("/nonexistent"))
    except ConfigError as error:
        assert name in str(error).replace("-", "_")


@fuzz(urls | hostile.text)
def test_any_url_is_refused_or_suggests_a_valid_name(text: str) -> None:
    try:
        url = check_url(text)
    except ConfigError:
        return
    assert "169.254" not in url
    assert check_name(suggest_name(url, ()))


@fuzz(hostile.json_values)
def test_any_agent_setting_is_accepted_or_refused(value: object) -> None:
    for check in (check_name, check_card, check_url):
        try:
            check(value)
        except ConfigError:
            continue
    for key in AgentTable.__struct_fields__:
        try:
            convert({"url": "http://127.0.0.1:8001", key: value}, AgentTable)
        except ConfigError as error:
            assert key in str(error)


@fuzz(hostile.text | st.sampled_from(HOSTS))
def test_any_name_can_be_checked_for_link_local(name: str) -> None:
    assert is_link_local(name) in (True, False)
