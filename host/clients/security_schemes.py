"""Owns the choice among the security schemes of a card: which the settings can meet.

Pure: a card and the agent's settings in, a `Choice` out, which `Credentials` applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from a2a.types import a2a_pb2 as pb

from ..config.agent_settings import PLACES, CredentialSettings, can_be_field

DEFAULT_KEY = ("header", "X-API-Key")
# A card may declare as many as it likes; only so much is looked at, and shown.
MAX_WAYS = 100
MAX_ASKED = 300
MAX_SCHEMES = 8


class Key(NamedTuple):
    """Where an API key goes: header, query or cookie, and under which name."""

    place: str
    name: str


class Choice(NamedTuple):
    """What to show: `authorization` is bearer, basic, oauth or None."""

    authorization: str | None = None
    keys: tuple[Key, ...] = ()
    token_url: str | None = None
    scopes: tuple[str, ...] = ()
    trouble: str | None = None
    """What the card asks for and the settings do not give."""


def as_given(given: CredentialSettings) -> Choice:
    """All that the settings hold: no card asks for anything in particular."""
    authorization = None
    if given.bearer:
        authorization = "bearer"
    elif given.client_id and given.token_url:
        authorization = "oauth"
    elif given.username:
        authorization = "basic"
    keys = (_key(given, *DEFAULT_KEY),) if given.api_key else ()
    return Choice(authorization, keys, given.token_url, given.scopes)


def choose(
    given: CredentialSettings, card: pb.AgentCard, trusts: Callable[[str], bool]
) -> Choice:
    """The first of the card's alternatives that the settings can meet; where there is
    none, all that the settings hold. `trusts` says whether a URL may be given them.

    A2A 1.0, 4.5: a requirement names schemes of which each must be met.
    """
    ways = list(islice(_alternatives(card), MAX_WAYS))
    if not ways:
        return as_given(given)
    for way in ways:
        met = _met(given, card, way, trusts)
        if met and way:
            return met
    if {} in ways:
        return Choice()
    asked = " or ".join(
        " with ".join(_asks(card, name) for name in sorted(way)) for way in ways
    )
    held = ", ".join(given.names()) or "nothing"
    return as_given(given)._replace(
        trouble=f"the card asks for {_line(asked)}; the agent's credentials hold {held}"
    )


def _alternatives(card: pb.AgentCard) -> Iterator[dict[str, tuple[str, ...]]]:
    """Schemes with their scopes. A card that only declares schemes: any of them."""
    for requirement in card.security_requirements:
        wanted = islice(requirement.schemes.items(), MAX_SCHEMES + 1)
        yield {name: tuple(scopes.list) for name, scopes in wanted}
    if not card.security_requirements:
        for name in sorted(card.security_schemes):
            yield {name: ()}


def _met(
    given: CredentialSettings,
    card: pb.AgentCard,
    way: dict[str, tuple[str, ...]],
    trusts: Callable[[str], bool],
) -> Choice | None:
    """What meets every scheme of the way; None if something does not."""
    if len(way) > MAX_SCHEMES:
        return None
    choice = Choice()
    for name, scopes in way.items():
        if name not in card.security_schemes:
            return None
        scheme = card.security_schemes[name]
        if scheme.HasField("api_key_security_scheme"):
            asked = scheme.api_key_security_scheme
            key = _key(given, asked.location.lower(), asked.name)
            if not given.api_key or not _usable(key):
                return None
            choice = choice._replace(keys=(*choice.keys, key))
            continue
        shown = _authorization(given, scheme, scopes, trusts)
        if shown is None or choice.authorization not in (None, shown.authorization):
            return None
        choice = shown._replace(keys=choice.keys)
    return choice


def _authorization(
    given: CredentialSettings,
    scheme: pb.SecurityScheme,
    scopes: tuple[str, ...],
    trusts: Callable[[str], bool],
) -> Choice | None:
    kind = scheme.WhichOneof("scheme")
    http = scheme.http_auth_security_scheme.scheme.lower()
    if kind == "http_auth_security_scheme" and http == "basic":
        return Choice("basic") if given.username else None
    if kind == "http_auth_security_scheme" and http != "bearer":
        return None
    if kind not in (
        "http_auth_security_scheme",
        "oauth2_security_scheme",
        "open_id_connect_security_scheme",
    ):
        return None
    if given.client_id:
        token_url = given.token_url or _offered(scheme, trusts)
        if token_url:
            # An agent may not widen what its token opens at other people's doors.
            asked = scopes if trusts(token_url) else ()
            return Choice("oauth", token_url=token_url, scopes=given.scopes or asked)
    return Choice("bearer") if given.bearer else None


def _offered(scheme: pb.SecurityScheme, trusts: Callable[[str], bool]) -> str | None:
    """Where the card sends for tokens, if that place may be told the secret."""
    url = scheme.oauth2_security_scheme.flows.client_credentials.token_url
    return url if url.startswith(("https://", "http://")) and trusts(url) else None


def _key(given: CredentialSettings, place: str, name: str) -> Key:
    """The settings' word on where a key goes, before the card's."""
    return Key(given.api_key_in or place, given.api_key_name or name)


def _usable(key: Key) -> bool:
    return key.place in PLACES and can_be_field(key.name)


def _asks(card: pb.AgentCard, name: str) -> str:
    """A scheme in words for the page."""
    if name not in card.security_schemes:
        return f"{name}, which it does not declare"
    scheme = card.security_schemes[name]
    if scheme.HasField("api_key_security_scheme"):
        key = scheme.api_key_security_scheme
        return f"an API key ({key.location} {key.name})"
    if scheme.HasField("http_auth_security_scheme"):
        return f"HTTP {scheme.http_auth_security_scheme.scheme}"
    if scheme.HasField("oauth2_security_scheme"):
        flows = scheme.oauth2_security_scheme.flows
        if flows.HasField("client_credentials"):
            url = flows.client_credentials.token_url
            return f"OAuth 2 (client credentials, for a token of {url})"
        return f"OAuth 2 ({(flows.WhichOneof('flow') or 'no flow').replace('_', ' ')})"
    if scheme.HasField("open_id_connect_security_scheme"):
        return "OpenID Connect"
    if scheme.HasField("mtls_security_scheme"):
        return "a TLS certificate, which the host cannot show"
    return "a scheme that the host does not know"


def _line(text: str) -> str:
    """What a card says as one line that no log takes for two."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= MAX_ASKED else f"{plain[:MAX_ASKED]}…"
