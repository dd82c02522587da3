"""Owns what the host is told of one agent: where it is and what opens it, checked.

courtside.toml, the environment and POST /agents make them; collectors use them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..errors import ConfigError
from .address_rules import is_link_local, is_private

HOST_NAME = "host"  # The host's own name: no agent is called that.
MAX_URL = 2048
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
# What an HTTP field and gRPC metadata both take as a name.
FIELD = re.compile(r"[A-Za-z0-9_.-]{1,128}")
VISIBLE = re.compile(r"[\x21-\x7e]+")
PLACES = ("header", "query", "cookie")
# The host sets these itself, or they say where a request ends.
OWN_HEADERS = frozenset(
    (
        "a2a-extensions",
        "a2a-version",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "last-event-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


@dataclass(frozen=True, repr=False)
class CredentialSettings:
    """What an agent may be shown. Its repr names what is given, never its value."""

    bearer: str | None = None
    api_key: str | None = None
    api_key_in: str | None = None
    """header, query or cookie; None: as the card says."""
    api_key_name: str | None = None
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    token_url: str | None = None
    """None: as the card says, where that is a trusted host."""
    scopes: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def names(self) -> list[str]:
        """The names of the settings that have a value."""
        return [name for name in CREDENTIALS if getattr(self, name)]

    def __repr__(self) -> str:
        return f"<credentials: {', '.join(self.names()) or 'none'}>"


@dataclass(frozen=True)
class AgentSettings:
    """An agent to follow: `url` is its base URL, `card` a path or URL of its card."""

    url: str
    card: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    """Hosts other than the URL's that may see the credentials."""
    credentials: CredentialSettings = CredentialSettings()
    public_only: bool = False
    """Whether it must be at a public address: one that was added at run time."""

    @classmethod
    def of_url(cls, url: object, card: object = None) -> AgentSettings:
        """An agent added at run time, without credentials. Raises ConfigError."""
        return cls(check_url(url), None if card is None else check_card(card))


def check_name(name: object) -> str:
    """The name if it can be one. Raises ConfigError, as all that follow: a sentence
    without its subject, for the caller knows where the value stands."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == HOST_NAME:
        raise ConfigError(
            "is no name for an agent: use up to 32 small letters, digits and dashes, "
            'not "host"'
        )
    return name


def check_url(url: object) -> str:
    """An http(s) URL of an agent, without its last slash."""
    text = _http_url(url)
    if re.search(r"[?#]", text):
        raise ConfigError(
            "must end before any ? or #: put an API key under credentials, and a "
            "card's own address under card"
        )
    return text.rstrip("/")


def check_public(url: object) -> str:
    """A URL that does not name a private address; where a name leads is seen later."""
    text = _http_url(url)
    if is_private(httpx.URL(text).host):
        raise ConfigError(
            f"points at a private address: {text[:100]!r}; the setting private_agents "
            "allows that, or name the agent in courtside.toml"
        )
    return text


def check_card(card: object) -> str:
    """An absolute path at the agent's host, or an http(s) URL."""
    if isinstance(card, str) and card.startswith("/") and not card.startswith("//"):
        if len(card) > MAX_URL or not VISIBLE.fullmatch(card):
            raise ConfigError("is not a path: use visible characters, without blanks")
        return card
    return _http_url(card)


def _http_url(url: object) -> str:
    try:
        usable = isinstance(url, str) and _is_http(url)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if isinstance(url, str) and "@" in url.split("?")[0]:
        raise ConfigError(
            "must not hold a user or password: the feed shows every URL; use "
            "credentials"
        )
    if not usable:
        raise ConfigError(
            f"is not an http(s) URL: {str(url)[:100]!r}; for example "
            "http://127.0.0.1:8001"
        )
    text = str(url)
    if is_link_local(httpx.URL(text).host):
        raise ConfigError(
            f"points at a link-local or metadata address: {text[:100]!r}; no agent "
            "is followed there"
        )
    return text


def _is_http(url: str) -> bool:
    parts = urlsplit(url)
    _ = parts.port
    return bool(
        len(url) <= MAX_URL
        and not re.search(r"[\x00-\x20\x7f\\]", url)
        and parts.scheme in ("http", "https")
        and parts.hostname
        and httpx.URL(url).host
    )


def check_trusted_hosts(hosts: object) -> tuple[str, ...]:
    """Names or addresses, without scheme and port."""
    if not isinstance(hosts, list):
        raise ConfigError('is not a list of hosts: use ["api.example"]')
    for host in hosts:
        if not isinstance(host, str) or not _is_host(host):
            raise ConfigError(
                f"holds {str(host)[:100]!r}, which is no host: use its name or "
                'address alone, as in ["api.example"]'
            )
    return tuple(host.strip("[]") for host in hosts)


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        try:
            return bool(HOST.fullmatch(text) and httpx.URL(f"http://{text}").host)
        except httpx.InvalidURL:
            return False
    return True


def _secret(value: object) -> str:
    """Text for a form or for base64: anything but control characters."""
    if not isinstance(value, str) or not value or re.search(r"[\x00-\x1f\x7f]", value):
        raise ConfigError("must be text on one line, and not empty")
    return value


def _visible(value: object) -> str:
    if not isinstance(value, str) or not VISIBLE.fullmatch(value):
        raise ConfigError(
            "must be visible ASCII characters without blanks, and not empty (a token "
            "stands alone, without the word Bearer)"
        )
    return value


def _username(value: object) -> str:
    name = _secret(value)
    if ":" in name:
        raise ConfigError("must not hold a colon (RFC 7617)")
    return name


def _place(value: object) -> str:
    if value not in PLACES:
        raise ConfigError(f"must be one of {', '.join(PLACES)}")
    return str(value)


def _field(value: object) -> str:
    if not isinstance(value, str) or not can_be_field(value):
        raise ConfigError(
            "is no name for a field of ours: use letters, digits, _, . and -, and "
            "none that the host sets itself, as Content-Type"
        )
    return value


def can_be_field(name: str) -> bool:
    """Whether an HTTP field or gRPC metadata may have this name."""
    return FIELD.fullmatch(name) is not None and name.lower() not in OWN_HEADERS


def _token_url(value: object) -> str:
    return _http_url(value)


def _scopes(value: object) -> tuple[str, ...]:
    scopes = value.split() if isinstance(value, str) else value
    if not isinstance(scopes, list) or not all(
        isinstance(scope, str) and VISIBLE.fullmatch(scope) for scope in scopes
    ):
        raise ConfigError('is not a list of scopes: use ["read", "write"]')
    return tuple(scopes)


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ConfigError('is not a table of headers: use { "X-Team" = "blue" }')
    for name, text in value.items():
        try:
            _field(name)
        except ConfigError as error:
            raise ConfigError(f"{name[:100]!r} {error}") from None
        if not isinstance(text, str) or not re.fullmatch(
            r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", text
        ):
            raise ConfigError(f"{name!r} must be visible ASCII text on one line")
    if len({name.lower() for name in value}) < len(value):
        raise ConfigError("has a name twice: capitals make no difference")
    return tuple(value.items())


# Each setting with its check.
CREDENTIALS: Mapping[str, Callable[[object], Any]] = {
    "bearer": _visible,
    "api_key": _visible,
    "api_key_in": _place,
    "api_key_name": _field,
    "username": _username,
    "password": _secret,
    "client_id": _secret,
    "client_secret": _secret,
    "token_url": _token_url,
    "scopes": _scopes,
    "headers": _headers,
}
# What is of no use without another.
NEEDS = {
    "api_key_in": "api_key",
    "api_key_name": "api_key",
    "username": "password",
    "password": "username",
    "client_id": "client_secret",
    "client_secret": "client_id",
    "token_url": "client_id",
    "scopes": "client_id",
}


def credentials_of(settings: Mapping[str, tuple[object, str]]) -> CredentialSettings:
    """From each setting's value and where it stands. Raises ConfigError saying where,
    never what."""
    checked: dict[str, Any] = {}
    for name, (value, where) in settings.items():
        try:
            checked[name] = CREDENTIALS[name](value)
        except ConfigError as error:
            raise ConfigError(f"{where} {error}") from None
        if NEEDS.get(name, name) not in settings:
            raise ConfigError(f"{where} needs {NEEDS[name]} beside it")
    headers = {name.lower() for name, _ in checked.get("headers", ())}
    for name in ("bearer", "username", "client_id"):
        if "authorization" in headers and name in checked:
            raise ConfigError(f"{settings[name][1]} and headers.Authorization: use one")
    return CredentialSettings(**checked)
