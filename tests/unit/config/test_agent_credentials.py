"""Tests of agents' credentials in courtside.toml, which no error may show.

host/config/toml_file.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from host.config.agent_settings import (
    AgentSettings,
    CredentialSettings,
)
from host.config.toml_file import SettingsFile
from host.errors import ConfigError

SECRET = "hunter2hunter2"
OAUTH = 'client_id = "i"\nclient_secret = "SECRET"\ntoken_url = "ftp://auth.test"'


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


def credentials(
    folder: Path, text: str, environ: dict[str, str] | None = None
) -> CredentialSettings:
    return agent(folder, f"[agents.carly.credentials]\n{text}", environ).credentials


class TestCredentials:
    def test_are_read_from_the_file(self, tmp_path: Path) -> None:
        found = credentials(
            tmp_path,
            """
            bearer = "abc"
            api_key = "k"
            api_key_in = "query"
            api_key_name = "key"
            username = "me"
            password = "p w"
            client_id = "id"
            client_secret = "s"
            token_url = "https://auth.test/token?tenant=1"
            scopes = ["read", "write"]
            headers = { "X-Team" = "blue team" }
            """,
        )

        assert found == CredentialSettings(
            bearer="abc",
            api_key="k",
            api_key_in="query",
            api_key_name="key",
            username="me",
            password="p w",
            client_id="id",
            client_secret="s",
            token_url="https://auth.test/token?tenant=1",
            scopes=("read", "write"),
            headers={"X-Team": "blue team"},
        )

    def test_can_refer_to_variables(self, tmp_path: Path) -> None:
        found = credentials(
            tmp_path,
            'bearer = "env:TOKEN"\nheaders = { "X-Team" = "env:TEAM" }',
            {"TOKEN": "abc", "TEAM": "blue"},
        )

        assert (found.bearer, found.headers) == ("abc", {"X-Team": "blue"})

    def test_variable_of_the_agent_overrides_the_file(self, tmp_path: Path) -> None:
        found = credentials(
            tmp_path,
            'bearer = "file"\napi_key = "file"',
            {"COURTSIDE_AGENT_CARLY_BEARER": "variable"},
        )

        assert (found.bearer, found.api_key) == ("variable", "file")

    def test_pair_can_be_split_between_file_and_variable(self, tmp_path: Path) -> None:
        found = credentials(
            tmp_path, 'username = "me"', {"COURTSIDE_AGENT_CARLY_PASSWORD": "pw"}
        )

        assert (found.username, found.password) == ("me", "pw")

    def test_dash_in_a_name_is_an_underscore_in_the_variable(
        self, tmp_path: Path
    ) -> None:
        found = agents(
            tmp_path,
            "[agents.my-agent]\nurl = 'http://a'\n",
            {"COURTSIDE_AGENT_MY_AGENT_SCOPES": "", **oauth("MY_AGENT")},
        )

        assert found["my-agent"].credentials.client_id == "id"

    def test_scopes_in_a_variable_are_separated_by_spaces(self, tmp_path: Path) -> None:
        environ = {"COURTSIDE_AGENT_CARLY_SCOPES": "read write", **oauth("CARLY")}

        assert credentials(tmp_path, "", environ).scopes == ("read", "write")

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("bearer", 'bearer = ""'),
            ("bearer", 'bearer = "Bearer SECRET"'),
            ("bearer", 'bearer = "SECRET\\nX-Evil: 1"'),
            ("bearer", 'bearer = "SECRETé"'),
            ("bearer", "bearer = ['SECRET']"),
            ("bearer", 'bearer = "env:SECRET_IS_NOT_SET"'),
            ("api_key", 'api_key = "SECRET "'),
            ("api_key_in", 'api_key = "SECRET"\napi_key_in = "body"'),
            ("api_key_in", 'api_key_in = "query"'),
            ("api_key_name", 'api_key = "SECRET"\napi_key_name = "Host"'),
            ("api_key_name", 'api_key = "SECRET"\napi_key_name = "X Key"'),
            ("username", 'username = "me:SECRET"\npassword = "SECRET"'),
            ("username", 'username = "SECRET"'),
            ("password", 'password = "SECRET"'),
            ("password", 'username = "me"\npassword = "SECRET\\u0000"'),
            ("client_id", 'client_id = "SECRET"'),
            ("client_secret", 'client_secret = "SECRET"'),
            ("token_url", 'token_url = "https://auth.test"'),
            ("token_url", OAUTH),
            ("token_url", OAUTH.replace("ftp://", "https://me:SECRET@")),
            ("token_url", OAUTH.replace("ftp://auth.test", "http://169.254.1.1/")),
            ("scopes", OAUTH.replace('token_url = "ftp://auth.test"', "scopes = 1")),
            ("headers", 'headers = "X-Team: SECRET"'),
            ("headers", 'headers = { "X Team" = "SECRET" }'),
            ("headers", 'headers = { Content-Length = "SECRET" }'),
            ("headers", 'headers = { X-Team = "SECRET\\r\\nEvil: 1" }'),
            ("headers", 'headers = { X-Team = "SECRET", x-team = "SECRET" }'),
            ("bearer", 'headers = { authorization = "SECRET" }\nbearer = "SECRET"'),
        ],
    )
    def test_error_names_the_line_but_not_the_value(
        self, tmp_path: Path, key: str, text: str
    ) -> None:
        with pytest.raises(ConfigError) as refused:
            credentials(tmp_path, text.replace("SECRET", SECRET))

        message = str(refused.value)
        line = 4 + text.splitlines().index(
            next(row for row in text.splitlines() if row.startswith(key))
        )
        assert (
            f"courtside.toml, line {line}: agents.carly.credentials.{key} " in message
        )
        assert SECRET not in message.replace(f"{SECRET}_IS_NOT_SET", "")
        assert refused.value.__cause__ is None

    def test_error_names_the_variable_but_not_the_value(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as refused:
            credentials(tmp_path, "", {"COURTSIDE_AGENT_CARLY_BEARER": f"{SECRET}\n"})

        assert str(refused.value).startswith("COURTSIDE_AGENT_CARLY_BEARER must be ")
        assert SECRET not in str(refused.value)

    @pytest.mark.parametrize("form", [repr, str, "{}".format])
    def test_never_appear_in_the_text_of_the_settings(
        self, tmp_path: Path, form: type[str]
    ) -> None:
        found = agent(
            tmp_path,
            f"credentials = {{ bearer = '{SECRET}', api_key = '{SECRET}', "
            f"username = '{SECRET}', password = '{SECRET}', "
            f"client_id = '{SECRET}', client_secret = '{SECRET}', "
            f"headers = {{ X-Team = '{SECRET}' }} }}",
        )

        assert SECRET not in form(found)
        assert SECRET not in form(found.credentials)
        assert "bearer" in form(found)


def oauth(agent: str) -> dict[str, str]:
    prefix = f"COURTSIDE_AGENT_{agent}_CLIENT"
    return {f"{prefix}_ID": "id", f"{prefix}_SECRET": "s"}
