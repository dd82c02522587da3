"""Tests which credentials the host chooses for each security scheme and settings.

host/clients/security_schemes.py, with cards of 1.0 and 0.3.
"""

from __future__ import annotations

from typing import Any

import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.types import a2a_pb2 as pb
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from host.clients.security_schemes import (
    Choice,
    Key,
    choose_schemes,
    choose_without_card,
)
from host.config.agent_settings import CredentialSettings

TOKENS = "https://c.test/token"

BEARER = CredentialSettings(bearer="abc")
BASIC = CredentialSettings(username="me", password="pw")
KEY = CredentialSettings(api_key="k")
OAUTH = CredentialSettings(client_id="me", client_secret="s")
OAUTH_AT = CredentialSettings(client_id="me", client_secret="s", token_url=TOKENS)
ALL = CredentialSettings(
    bearer="abc",
    username="me",
    password="pw",
    api_key="k",
    client_id="me",
    client_secret="s",
)
NOTHING = CredentialSettings()

QUERY = Choice(keys=(Key("query", "k"),))

SCHEMES: dict[str, Any] = {
    "bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}},
    "basic": {"httpAuthSecurityScheme": {"scheme": "basic"}},
    "digest": {"httpAuthSecurityScheme": {"scheme": "digest"}},
    "header": {"apiKeySecurityScheme": {"location": "header", "name": "X-K"}},
    "query": {"apiKeySecurityScheme": {"location": "query", "name": "k"}},
    "cookie": {"apiKeySecurityScheme": {"location": "cookie", "name": "k"}},
    "body": {"apiKeySecurityScheme": {"location": "body", "name": "k"}},
    "smuggled": {"apiKeySecurityScheme": {"location": "header", "name": "X\r\nY"}},
    "framing": {"apiKeySecurityScheme": {"location": "header", "name": "Host"}},
    "oauth": {
        "oauth2SecurityScheme": {"flows": {"clientCredentials": {"tokenUrl": TOKENS}}}
    },
    "code": {
        "oauth2SecurityScheme": {"flows": {"authorizationCode": {"tokenUrl": TOKENS}}}
    },
    "openid": {"openIdConnectSecurityScheme": {"openIdConnectUrl": "https://c.test"}},
    "mtls": {"mtlsSecurityScheme": {}},
}


def card(*requirements: str) -> pb.AgentCard:
    """Each requirement names the schemes that it needs together: "header+basic"."""
    names = {
        name
        for requirement in requirements
        for name in requirement.split("+")
        if name in SCHEMES
    }
    return parse_agent_card(
        {
            "name": "carly",
            "supportedInterfaces": [],
            "securitySchemes": {name: SCHEMES[name] for name in names},
            "securityRequirements": [
                {
                    "schemes": {
                        name: {"list": []} for name in requirement.split("+") if name
                    }
                }
                for requirement in requirements
            ],
        }
    )


def is_trusted(url: str) -> bool:
    return url.startswith("https://c.test/")


@pytest.mark.parametrize(
    ("given", "requirements", "choice"),
    [
        # One scheme
        (BEARER, ["bearer"], Choice("bearer")),
        (BASIC, ["basic"], Choice("basic")),
        (KEY, ["header"], Choice(keys=(Key("header", "X-K"),))),
        (KEY, ["query"], Choice(keys=(Key("query", "k"),))),
        (KEY, ["cookie"], Choice(keys=(Key("cookie", "k"),))),
        (OAUTH, ["oauth"], Choice("oauth", token_url=TOKENS)),
        (OAUTH_AT, ["code"], Choice("oauth", token_url=TOKENS)),
        (OAUTH_AT, ["openid"], Choice("oauth", token_url=TOKENS)),
        (OAUTH_AT, ["bearer"], Choice("oauth", token_url=TOKENS)),
        # A token that the user has fetched
        (BEARER, ["oauth"], Choice("bearer")),
        (BEARER, ["code"], Choice("bearer")),
        (BEARER, ["openid"], Choice("bearer")),
        # The first requirement that the settings can meet
        (ALL, ["basic", "bearer"], Choice("basic")),
        (ALL, ["mtls", "digest", "bearer"], Choice("bearer")),
        (KEY, ["bearer", "query", "header"], Choice(keys=(Key("query", "k"),))),
        (KEY, ["smuggled", "framing", "body", "query"], QUERY),
        (BEARER, ["unknown", "bearer"], Choice("bearer")),
        # Several together
        (ALL, ["header+basic"], Choice("basic", (Key("header", "X-K"),))),
        (BASIC, ["header+basic", "basic"], Choice("basic")),
        (ALL, ["basic+bearer", "bearer"], Choice("bearer")),
        # No credentials are required
        (NOTHING, ["bearer", ""], Choice()),
        (KEY, ["", "bearer"], Choice()),
        (BEARER, ["", "bearer"], Choice("bearer")),
        (NOTHING, [], Choice()),
        (BEARER, [], Choice("bearer")),
        (KEY, [], Choice(keys=(Key("header", "X-API-Key"),))),
    ],
)
def test_first_requirement_that_the_settings_meet_is_chosen(
    given: CredentialSettings, requirements: list[str], choice: Choice
) -> None:
    assert choose_schemes(given, card(*requirements), is_trusted) == choice


@pytest.mark.parametrize(
    ("given", "requirements", "reason"),
    [
        (NOTHING, ["bearer"], "the card asks for HTTP Bearer; the agent's credentials"),
        (NOTHING, ["bearer"], "credentials hold nothing"),
        (KEY, ["basic"], "hold api_key"),
        (BEARER, ["query"], "asks for an API key (query k)"),
        (BEARER, ["header+basic"], "asks for HTTP basic with an API key (header X-K)"),
        (KEY, ["basic", "mtls"], "HTTP basic or a TLS certificate, which the host can"),
        (KEY, ["code"], "OAuth 2 (authorization code)"),
        (KEY, ["openid"], "OpenID Connect"),
        (KEY, ["unknown"], "unknown, which it does not declare"),
        (KEY, ["oauth"], f"OAuth 2 (client credentials, for a token of {TOKENS})"),
    ],
)
def test_unmet_requirements_are_described_and_all_credentials_sent(
    given: CredentialSettings, requirements: list[str], reason: str
) -> None:
    choice = choose_schemes(given, card(*requirements), is_trusted)

    assert reason in (choice.trouble or "")
    assert choice._replace(trouble=None) == choose_without_card(given)


def test_place_of_the_api_key_in_the_settings_overrides_the_card() -> None:
    given = CredentialSettings(api_key="k", api_key_in="cookie", api_key_name="sid")

    assert choose_schemes(given, card("header"), is_trusted).keys == (
        Key("cookie", "sid"),
    )
    assert choose_without_card(given).keys == (Key("cookie", "sid"),)


def test_card_that_only_declares_schemes_requires_any_of_them() -> None:
    declared = card("query", "basic")
    del declared.security_requirements[:]

    assert choose_schemes(BASIC, declared, is_trusted) == Choice("basic")
    assert choose_schemes(NOTHING, declared, is_trusted).trouble


def test_card_of_version_0_3_is_read() -> None:
    old = parse_agent_card(
        {
            "name": "x",
            "url": "http://a",
            "version": "1",
            "protocolVersion": "0.3.0",
            "description": "",
            "capabilities": {},
            "skills": [],
            "defaultInputModes": [],
            "defaultOutputModes": [],
            "security": [{"k": []}, {"o": ["read", "write"]}],
            "securitySchemes": {
                "k": {"type": "apiKey", "in": "header", "name": "X-K"},
                "o": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": TOKENS, "scopes": {}}},
                },
            },
        }
    )

    assert choose_schemes(KEY, old, is_trusted).keys == (Key("header", "X-K"),)
    assert choose_schemes(OAUTH, old, is_trusted) == Choice(
        "oauth", token_url=TOKENS, scopes=("read", "write")
    )


def test_scopes_of_the_settings_override_the_card() -> None:
    given = CredentialSettings(client_id="me", client_secret="s", scopes=("admin",))

    assert choose_schemes(given, card("oauth"), is_trusted).scopes == ("admin",)


def test_card_cannot_widen_the_scopes_at_another_host() -> None:
    elsewhere = "https://login.test/token"
    given = CredentialSettings(client_id="me", client_secret="s", token_url=elsewhere)
    greedy = card("oauth")
    greedy.security_requirements[0].schemes["oauth"].list.append("admin")

    assert choose_schemes(given, greedy, is_trusted).scopes == ()
    assert choose_schemes(OAUTH, greedy, is_trusted).scopes == ("admin",)


def test_card_with_many_schemes_is_described_in_one_line() -> None:
    names = {f"scheme\n{n}" * 10: pb.StringList() for n in range(1000)}
    endless = pb.AgentCard(
        security_requirements=[pb.SecurityRequirement(schemes=names)] * 20
    )

    trouble = choose_schemes(ALL, endless, is_trusted).trouble

    assert trouble
    assert len(trouble) < 500
    assert trouble.isprintable()


@settings(derandomize=True, deadline=None)
@drawn(
    st.sampled_from([BEARER, BASIC, KEY, OAUTH, OAUTH_AT, ALL, NOTHING]),
    st.lists(st.lists(st.sampled_from([*SCHEMES, "unknown"]), max_size=3), max_size=4),
)
def test_choice_uses_only_credentials_of_the_settings(
    given: CredentialSettings, requirements: list[list[str]]
) -> None:
    choice = choose_schemes(given, card(*map("+".join, requirements)), lambda _: False)

    needs = {"bearer": "bearer", "basic": "username", "oauth": "client_id", None: ""}
    needed = needs[choice.authorization]
    assert not needed or getattr(given, needed)
    assert not choice.keys or given.api_key
    # A card alone cannot decide where the secret is sent.
    assert choice.token_url in (None, given.token_url)
