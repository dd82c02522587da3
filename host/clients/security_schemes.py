"""Chooses the first of a card's security requirements that the settings can meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from a2a.types import a2a_pb2 as pb

from ..config.agent_settings import PLACES, CredentialSettings, is_field_name

DEFAULT_PLACE = ("header", "X-API-Key")
# A card may declare any number.
MAX_REQUIREMENTS = 100
MAX_SCHEMES = 8
MAX_DESCRIPTION = 300
TOKEN_SCHEMES = (
    "http_auth_security_scheme",
    "oauth2_security_scheme",
    "open_id_connect_security_scheme",
)

Requirement = dict[str, tuple[str, ...]]
"""Names of schemes that are required together, with their scopes."""


class Key(NamedTuple):
    """Where an API key goes: header, query or cookie, and its name there."""

    place: str
    name: str


class Choice(NamedTuple):
    """The credentials to send. `authorization` is bearer, basic, oauth or None."""

    authorization: str | None = None
    keys: tuple[Key, ...] = ()
    token_url: str | None = None
    scopes: tuple[str, ...] = ()
    trouble: str | None = None
    """The credentials that the card requires and the settings do not have."""


def choose_without_card(settings: CredentialSettings) -> Choice:
    """Return all credentials in the settings."""
    authorization = None
    if settings.bearer:
        authorization = "bearer"
    elif settings.client_id and settings.token_url:
        authorization = "oauth"
    elif settings.username:
        authorization = "basic"
    keys = (_key(settings, *DEFAULT_PLACE),) if settings.api_key else ()
    return Choice(authorization, keys, settings.token_url, settings.scopes)


def choose_schemes(
    settings: CredentialSettings,
    card: pb.AgentCard,
    is_trusted: Callable[[str], bool],
) -> Choice:
    """Return the first of the card's requirements that the settings can meet.

    If they can meet none, return all their credentials. `is_trusted` returns whether a
    URL may receive the credentials. A2A 1.0, section 4.5.
    """
    requirements = list(islice(_requirements(card), MAX_REQUIREMENTS))
    if not requirements:
        return choose_without_card(settings)
    for requirement in requirements:
        choice = _meet(settings, card, requirement, is_trusted)
        if choice and requirement:
            return choice
    if {} in requirements:
        return Choice()
    required = " or ".join(
        " with ".join(_describe(card, name) for name in sorted(requirement))
        for requirement in requirements
    )
    held = ", ".join(settings.names()) or "nothing"
    return choose_without_card(settings)._replace(
        trouble=f"the card asks for {_one_line(required)}; the agent's credentials "
        f"hold {held}"
    )


def _requirements(card: pb.AgentCard) -> Iterator[Requirement]:
    """Yield alternatives. A card that only declares schemes requires any of them."""
    for requirement in card.security_requirements:
        schemes = islice(requirement.schemes.items(), MAX_SCHEMES + 1)
        yield {name: tuple(scopes.list) for name, scopes in schemes}
    if not card.security_requirements:
        for name in sorted(card.security_schemes):
            yield {name: ()}


def _meet(
    settings: CredentialSettings,
    card: pb.AgentCard,
    requirement: Requirement,
    is_trusted: Callable[[str], bool],
) -> Choice | None:
    """Return the credentials for all schemes of the requirement, or None."""
    if len(requirement) > MAX_SCHEMES:
        return None
    choice = Choice()
    for name, scopes in requirement.items():
        if name not in card.security_schemes:
            return None
        scheme = card.security_schemes[name]
        if scheme.HasField("api_key_security_scheme"):
            place = scheme.api_key_security_scheme
            key = _key(settings, place.location.lower(), place.name)
            is_usable = key.place in PLACES and is_field_name(key.name)
            if not settings.api_key or not is_usable:
                return None
            choice = choice._replace(keys=(*choice.keys, key))
            continue
        found = _authorization(settings, scheme, scopes, is_trusted)
        if found is None or choice.authorization not in (None, found.authorization):
            return None
        choice = found._replace(keys=choice.keys)
    return choice


def _authorization(
    settings: CredentialSettings,
    scheme: pb.SecurityScheme,
    scopes: tuple[str, ...],
    is_trusted: Callable[[str], bool],
) -> Choice | None:
    kind = scheme.WhichOneof("scheme")
    if kind == "http_auth_security_scheme":
        http = scheme.http_auth_security_scheme.scheme.lower()
        if http == "basic":
            return Choice("basic") if settings.username else None
        if http != "bearer":
            return None
    if kind not in TOKEN_SCHEMES:
        return None
    if settings.client_id:
        card_url = scheme.oauth2_security_scheme.flows.client_credentials.token_url
        is_http = card_url.startswith(("https://", "http://"))
        token_url = settings.token_url or (
            card_url if is_http and is_trusted(card_url) else None
        )
        if token_url:
            # An agent must not widen the scopes of a token from another host.
            card_scopes = scopes if is_trusted(token_url) else ()
            return Choice(
                "oauth", token_url=token_url, scopes=settings.scopes or card_scopes
            )
    return Choice("bearer") if settings.bearer else None


def _key(settings: CredentialSettings, place: str, name: str) -> Key:
    """Return the place in the settings, or else the given one."""
    return Key(settings.api_key_in or place, settings.api_key_name or name)


def _describe(card: pb.AgentCard, name: str) -> str:
    """Describe a scheme for the page."""
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
        return "a TLS certificate, which the host cannot present"
    return "a scheme that the host does not know"


def _one_line(text: str) -> str:
    """Return the card's text as one short line, so that it cannot forge a log line."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= MAX_DESCRIPTION else f"{plain[:MAX_DESCRIPTION]}…"
