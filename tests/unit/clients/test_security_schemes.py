"""Which of a card's security schemes is met, for every kind of scheme and settings.

host/clients/security_schemes.py; cards in the shapes of protocol 1.0 and 0.3.
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


def card(*ways: str) -> pb.AgentCard:
    """Each way names schemes that are wanted together, as in "header+basic"."""
    names = {name for way in ways for name in way.split("+") if name in SCHEMES}
    return parse_agent_card(
        {
            "name": "carly",
            "supportedInterfaces": [],
            "securitySchemes": {name: SCHEMES[name] for name in names},
            "securityRequirements": [
                {"schemes": {name: {"list": []} for name in way.split("+") if name}}
                for way in ways
            ],
        }
    )


def trusts(url: str) -> bool:
    return url.startswith("https://c.test/")


@pytest.mark.parametrize(
    ("given", "ways", "choice"),
    [
        # One scheme, which is met
        (BEARER, ["bearer"], Choice("bearer")),
        (BASIC, ["basic"], Choice("basic")),
        (KEY, ["header"], Choice(keys=(Key("header", "X-K"),))),
        (KEY, ["query"], Choice(keys=(Key("query", "k"),))),
        (KEY, ["cookie"], Choice(keys=(Key("cookie", "k"),))),
        (OAUTH, ["oauth"], Choice("oauth", token_url=TOKENS)),
        (OAUTH_AT, ["code"], Choice("oauth", token_url=TOKENS)),
        (OAUTH_AT, ["openid"], Choice("oauth", token_url=TOKENS)),
        (OAUTH_AT, ["bearer"], Choice("oauth", token_url=TOKENS)),
        # A token that somebody fetched elsewhere
        (BEARER, ["oauth"], Choice("bearer")),
        (BEARER, ["code"], Choice("bearer")),
        (BEARER, ["openid"], Choice("bearer")),
        # The first that can be met
        (ALL, ["basic", "bearer"], Choice("basic")),
        (ALL, ["mtls", "digest", "bearer"], Choice("bearer")),
        (KEY, ["bearer", "query", "header"], Choice(keys=(Key("query", "k"),))),
        (KEY, ["smuggled", "framing", "body", "query"], QUERY),
        (BEARER, ["unknown", "bearer"], Choice("bearer")),
        # Several together
        (ALL, ["header+basic"], Choice("basic", (Key("header", "X-K"),))),
        (BASIC, ["header+basic", "basic"], Choice("basic")),
        (ALL, ["basic+bearer", "bearer"], Choice("bearer")),
        # None is needed
        (NOTHING, ["bearer", ""], Choice()),
        (KEY, ["", "bearer"], Choice()),
        (BEARER, ["", "bearer"], Choice("bearer")),
        (NOTHING, [], Choice()),
        (BEARER, [], Choice("bearer")),
        (KEY, [], Choice(keys=(Key("header", "X-API-Key"),))),
    ],
)
def test_the_first_way_in_that_the_settings_can_meet_is_taken(
    given: CredentialSettings, ways: list[str], choice: Choice
) -> None:
    assert choose_schemes(given, card(*ways), trusts) == choice


@pytest.mark.parametrize(
    ("given", "ways", "said"),
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
def test_what_cannot_be_met_is_said_and_what_is_given_is_tried(
    given: CredentialSettings, ways: list[str], said: str
) -> None:
    choice = choose_schemes(given, card(*ways), trusts)

    assert said in (choice.trouble or "")
    assert choice._replace(trouble=None) == choose_without_card(given)


def test_the_settings_say_where_a_key_goes_before_the_card_does() -> None:
    given = CredentialSettings(api_key="k", api_key_in="cookie", api_key_name="sid")

    assert choose_schemes(given, card("header"), trusts).keys == (Key("cookie", "sid"),)
    assert choose_without_card(given).keys == (Key("cookie", "sid"),)


def test_a_card_that_only_declares_schemes_wants_one_of_them() -> None:
    declared = card("query", "basic")
    del declared.security_requirements[:]

    assert choose_schemes(BASIC, declared, trusts) == Choice("basic")
    assert choose_schemes(NOTHING, declared, trusts).trouble


def test_a_card_of_protocol_0_3_is_read_as_well() -> None:
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

    assert choose_schemes(KEY, old, trusts).keys == (Key("header", "X-K"),)
    assert choose_schemes(OAUTH, old, trusts) == Choice(
        "oauth", token_url=TOKENS, scopes=("read", "write")
    )


def test_the_scopes_of_the_settings_win_over_the_cards() -> None:
    given = CredentialSettings(client_id="me", client_secret="s", scopes=("admin",))

    assert choose_schemes(given, card("oauth"), trusts).scopes == ("admin",)


def test_a_card_cannot_widen_what_another_hosts_token_opens() -> None:
    elsewhere = "https://login.test/token"
    given = CredentialSettings(client_id="me", client_secret="s", token_url=elsewhere)
    greedy = card("oauth")
    greedy.security_requirements[0].schemes["oauth"].list.append("admin")

    assert choose_schemes(given, greedy, trusts).scopes == ()
    assert choose_schemes(OAUTH, greedy, trusts).scopes == ("admin",)


def test_a_card_with_endless_schemes_is_told_in_a_line() -> None:
    names = {f"scheme\n{n}" * 10: pb.StringList() for n in range(1000)}
    endless = pb.AgentCard(
        security_requirements=[pb.SecurityRequirement(schemes=names)] * 20
    )

    trouble = choose_schemes(ALL, endless, trusts).trouble

    assert trouble
    assert len(trouble) < 500
    assert trouble.isprintable()


@settings(derandomize=True, deadline=None)
@drawn(
    st.sampled_from([BEARER, BASIC, KEY, OAUTH, OAUTH_AT, ALL, NOTHING]),
    st.lists(st.lists(st.sampled_from([*SCHEMES, "unknown"]), max_size=3), max_size=4),
)
def test_a_choice_needs_only_what_is_given(
    given: CredentialSettings, ways: list[list[str]]
) -> None:
    choice = choose_schemes(given, card(*map("+".join, ways)), lambda _: False)

    needs = {"bearer": "bearer", "basic": "username", "oauth": "client_id", None: ""}
    needed = needs[choice.authorization]
    assert not needed or getattr(given, needed)
    assert not choice.keys or given.api_key
    # A card alone cannot say where the secret goes.
    assert choice.token_url in (None, given.token_url)
