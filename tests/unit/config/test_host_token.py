"""Tests the token settings of the host, and when a token is required.

host/config/load.py and host/config/access_rules.py.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from host.config.load import read
from host.errors import ConfigError
from tests.support.settings_files import write_file

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
            ({"COURTSIDE_READ_TOKEN": READ_TOKEN}, "read_token also needs token"),
            ({"COURTSIDE_TOKEN": TOKEN, "COURTSIDE_READ_TOKEN": TOKEN}, "use two"),
            ({"COURTSIDE_TLS_CERT": "a.pem"}, "or neither"),
            ({"COURTSIDE_ALLOWED_HOSTS": "a.example"}, "allowed_hosts .* no token"),
            ({"COURTSIDE_TRUSTED_PROXIES": "::1"}, "trusted_proxies .* no token"),
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
