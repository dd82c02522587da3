"""Defines the settings of one agent: its address and its credentials.

They come from courtside.toml, the environment and POST /agents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import httpx
from msgspec import Meta, Struct

from ..errors import ConfigError
from .address_rules import is_link_local, is_private, parse_address
from .conversion import SettingError, convert

STALLED_AFTER_S = 300.0
POLL_S, POLL_IDLE_S = 0.25, 60.0
MAX_TASKS = 2_000
HOST_NAME = "host"  # The host's own name: no agent can have it.
MAX_URL = 2048
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
VISIBLE = re.compile(r"[\x21-\x7e]+")
# The host sets these headers, or they delimit a request.
RESERVED_HEADERS = (
    "a2a-extensions|a2a-version|accept|accept-encoding|connection|content-length|"
    "content-type|expect|host|last-event-id|te|trailer|transfer-encoding|upgrade"
)
# Valid both in HTTP and in gRPC metadata.
FIELD = rf"^(?!(?i:{RESERVED_HEADERS})\Z)[A-Za-z0-9_.-]{{1,128}}\Z"

# Each description completes the sentence "SETTING must be …".
VISIBLE_TEXT = "visible ASCII characters without spaces (a token: without Bearer)"
LINE = "text on one line"
USERNAME = "text on one line without a colon (RFC 7617)"
FIELD_NAME = (
    "a name of letters, digits, _, . and -, and none that the host sets itself, such "
    "as Content-Type"
)
HEADERS = (
    'a table of names and visible ASCII values, such as { "X-Team" = "blue" }, without '
    "names that the host sets itself, such as Content-Type"
)
SECONDS = "a number of seconds from 0 on; 0 turns it off"
TASK_COUNT = "a whole number from 1 to 100000"
PAUSE = "a number of seconds from 0.05 to 3600"
SCOPES = 'a list of scopes, such as ["read", "write"]'

Place = Literal["header", "query", "cookie"]
PLACES = get_args(Place)
Visible = Annotated[
    str, Meta(pattern=rf"^{VISIBLE.pattern}\Z", description=VISIBLE_TEXT)
]
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+\Z", description=LINE)]
Username = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f:]+\Z", description=USERNAME)]
FieldName = Annotated[str, Meta(pattern=FIELD, description=FIELD_NAME)]
HeaderValue = Annotated[str, Meta(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\Z")]
Headers = Annotated[dict[FieldName, HeaderValue], Meta(description=HEADERS)]
# Longer waits would need no check.
Seconds = Annotated[float, Meta(ge=0, le=1e9, description=SECONDS)]
TaskCount = Annotated[int, Meta(ge=1, le=100_000, description=TASK_COUNT)]
Pause = Annotated[float, Meta(ge=0.05, le=3600, description=PAUSE)]
Scopes = Annotated[tuple[Visible, ...], Meta(description=SCOPES)]
Url = Annotated[
    str, Meta(description="an http(s) URL, for example http://127.0.0.1:8001")
]
# A setting that has no effect without another.
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


class CredentialSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The credentials of an agent. The repr shows their names, never their values."""

    bearer: Visible | None = None
    api_key: Visible | None = None
    api_key_in: Place | None = None
    """None: where the card says."""
    api_key_name: FieldName | None = None
    username: Username | None = None
    password: Line | None = None
    client_id: Line | None = None
    client_secret: Line | None = None
    token_url: Url | None = None
    """None: the card's, if its host is trusted."""
    scopes: Scopes = ()
    headers: Headers = {}

    def __post_init__(self) -> None:
        names = self.names()
        for name in names:
            if NEEDS.get(name, name) not in names:
                raise SettingError(name, f"needs {NEEDS[name]} as well")
        if self.token_url:
            try:
                _check_http_url(self.token_url)
            except ConfigError as error:
                raise SettingError("token_url", str(error)) from None
        headers = {name.lower() for name in self.headers}
        if len(headers) < len(self.headers):
            raise SettingError(
                "headers", "has the same name twice; names are case-insensitive"
            )
        for name in ("bearer", "username", "client_id"):
            if "authorization" in headers and name in names:
                raise SettingError(name, "cannot be used with headers.Authorization")

    def names(self) -> list[str]:
        """Return the names of the settings that have a value."""
        return [name for name in self.__struct_fields__ if getattr(self, name)]

    def __repr__(self) -> str:
        return f"<credentials: {', '.join(self.names()) or 'none'}>"


@dataclass(frozen=True)
class AgentSettings:
    """An agent to follow: `url` is its base URL, `card` a path or URL of its card."""

    url: str
    card: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    """Other hosts that may receive the credentials."""
    credentials: CredentialSettings = field(default_factory=CredentialSettings)
    stalled_after_s: float = STALLED_AFTER_S
    """An open task without news for so long is stalled; 0: never."""
    poll_s: float = POLL_S
    """The shortest pause between two requests for new tasks."""
    poll_idle_s: float = POLL_IDLE_S
    """The longest pause between them, while nothing happens."""
    max_tasks: int = MAX_TASKS
    """How many tasks are followed at once."""
    public_only: bool = False
    """Whether private addresses are refused, for an agent added at run time."""


def read_credentials(
    agent: str,
    environ: Mapping[str, str],
    table: Mapping[str, Any] | None = None,
    where: Callable[[str], str] = str,
) -> CredentialSettings:
    """Combine the agent's table with its variables, such as
    COURTSIDE_AGENT_CARLY_BEARER, which take precedence.

    `where` returns the place of a key in the file. Raises ConfigError, without values.
    """
    prefix = f"COURTSIDE_AGENT_{agent.upper().replace('-', '_')}_"
    names = CredentialSettings.__struct_fields__
    # A table does not fit into a variable.
    variables = {name: prefix + name.upper() for name in names if name != "headers"}
    used = {name: text for name, text in variables.items() if environ.get(text)}
    values = {**(table or {}), **{name: environ[used[name]] for name in used}}
    if isinstance(values.get("scopes"), str):
        values["scopes"] = values["scopes"].split()
    try:
        return convert(values, CredentialSettings, secrets=names)
    except SettingError as error:
        place = used.get(error.key) or where(error.key)
        raise ConfigError(f"{place} {error.why}") from None


def check_name(name: object) -> str:
    """Return the name if an agent can have it.

    Raises ConfigError, like the functions below. Its text lacks the subject, which the
    caller adds.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == HOST_NAME:
        raise ConfigError(
            "is not a valid agent name: use up to 32 lower-case letters, digits and "
            'dashes, and not "host"'
        )
    return name


def check_url(url: object) -> str:
    """Return an agent's http(s) URL without its last slash."""
    text = _check_http_url(url)
    if re.search(r"[?#]", text):
        raise ConfigError(
            "must not contain ? or #; put an API key into `credentials`, and the "
            "address of a card into `card`"
        )
    return text.rstrip("/")


def check_public(url: object) -> str:
    """Return the URL unless it names a private address. Does not resolve names."""
    text = _check_http_url(url)
    if is_private(httpx.URL(text).host):
        raise ConfigError(
            f"points at a private address: {text[:100]!r}; allow this with the setting "
            "private_agents, or add the agent to courtside.toml"
        )
    return text


def check_card(card: object) -> str:
    """Return an absolute path at the agent's host, or an http(s) URL."""
    if isinstance(card, str) and card.startswith("/") and not card.startswith("//"):
        _check_length(card)
        if not VISIBLE.fullmatch(card):
            raise ConfigError("is not a valid path; use ASCII characters, no spaces")
        return card
    return _check_http_url(card)


def _check_http_url(url: object) -> str:
    try:
        is_valid = isinstance(url, str) and _is_http(url)
    except (ValueError, httpx.InvalidURL):
        is_valid = False
    if isinstance(url, str) and "@" in url.split("?")[0]:
        raise ConfigError(
            "must not contain a user or password, because the feed shows URLs: use "
            "credentials"
        )
    if isinstance(url, str):
        _check_length(url)
    if not is_valid:
        raise ConfigError(
            f"is not an http(s) URL: {str(url)[:100]!r}; for example "
            "http://127.0.0.1:8001"
        )
    text = str(url)
    if is_link_local(httpx.URL(text).host):
        raise ConfigError(
            f"points at a link-local or metadata address: {text[:100]!r}; Courtside "
            "never connects to these"
        )
    return text


def _check_length(text: str) -> None:
    if len(text) > MAX_URL:
        raise ConfigError(f"has {len(text)} characters; the limit is {MAX_URL}")


def _is_http(url: str) -> bool:
    parts = urlsplit(url)
    _ = parts.port  # Raises ValueError if it is not a port.
    return bool(
        not re.search(r"[\x00-\x20\x7f\\]", url)
        and parts.scheme in ("http", "https")
        and parts.hostname
        and httpx.URL(url).host
    )


def check_poll_idle(poll_idle_s: float, poll_s: float) -> float:
    """Return the longest pause. Raises ConfigError if it is shorter than `poll_s`."""
    if poll_idle_s < poll_s:
        raise ConfigError(
            f"must be at least poll_s ({poll_s:g}), not {poll_idle_s:g}: it is the "
            "pause while nothing happens"
        )
    return poll_idle_s


def check_trusted_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return names and addresses without brackets."""
    for host in hosts:
        if not _is_host(host):
            raise ConfigError(
                f"contains {host[:100]!r}, which is not a host: use a name or address "
                'without scheme and port, as in ["api.example"]'
            )
    return tuple(host.strip("[]") for host in hosts)


def _is_host(text: str) -> bool:
    if parse_address(text.strip("[]")):
        return True
    try:
        return bool(HOST.fullmatch(text) and httpx.URL(f"http://{text}").host)
    except httpx.InvalidURL:
        return False


def is_field_name(name: str) -> bool:
    """Return whether an HTTP header or gRPC metadata may have this name."""
    return re.match(FIELD, name) is not None
