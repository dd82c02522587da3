"""Adds an agent's credentials to requests to its trusted hosts, and to no others.

The agent's card decides which credentials: see security_schemes.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from http import HTTPStatus
from urllib.parse import quote

import httpx
from a2a.types import a2a_pb2 as pb

from ..config.address_rules import LOOPBACK
from ..config.agent_settings import AgentSettings
from ..observability.redaction import Secrets, protect, redact
from .oauth import TokenSource
from .security_schemes import Choice, choose_schemes, choose_without_card

# Headers may have values that are no secrets, such as the name of a team.
WORDS = re.compile(r"[A-Za-z /_.,-]{1,24}")
SECRET_NAME = re.compile(r"auth|cookie|cred|key|pass|secret|session|token", re.I)
SCHEMES = ("apikey", "basic", "bearer", "key", "token")


class Credentials:
    """The credentials of one agent: `auth` for httpx, `metadata` for gRPC.

    A request that needs a token raises AgentUnreachable if there is none. The client
    that uses `auth` must not follow redirects.
    """

    def __init__(
        self, settings: AgentSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        url = httpx.URL(settings.url)
        self._settings = credentials = settings.credentials
        self._is_https = url.scheme == "https"
        self._hosts = {_host(url.host), *map(_host, settings.trusted_hosts)}
        if not self._hosts.isdisjoint(LOOPBACK):
            # An agent at one name of this machine may use another in its card.
            self._hosts.update(LOOPBACK)
        self._clock = clock
        self._tokens: TokenSource | None = None
        self._choice = Choice()
        own = protect(
            self,
            credentials.bearer,
            credentials.api_key,
            credentials.password,
            credentials.client_secret,
            self._basic() if credentials.username else None,
            *_header_secrets(credentials.headers),
        )
        self._own_secrets = (own,) if own else ()
        self._apply(choose_without_card(credentials))
        self.auth: httpx.Auth = _Auth(self)

    @property
    def trouble(self) -> str | None:
        """The credentials that the card requires and the settings do not have."""
        return self._choice.trouble

    @property
    def secrets(self) -> tuple[Secrets, ...]:
        """What to redact in the agent's data."""
        if self._tokens and self._tokens.secrets:
            return (*self._own_secrets, self._tokens.secrets)
        return self._own_secrets

    def use_card(self, card: pb.AgentCard) -> None:
        """Choose among the card's security schemes. Call it for each new card."""
        self._apply(choose_schemes(self._settings, card, self.allows_url))

    def _apply(self, choice: Choice) -> None:
        self._choice = choice
        if choice.authorization != "oauth" or choice.token_url is None:
            self._tokens = None
            return
        request = (choice.token_url, choice.scopes)
        if not self._tokens or self._tokens.request != request:
            self._tokens = TokenSource(
                self._settings, choice.token_url, choice.scopes, self._clock
            )

    def allows(self, host: str, *, encrypted: bool = True) -> bool:
        """Return whether the host may receive the credentials.

        That is the URL's host, or a trusted one. If the URL is https, the connection
        must be encrypted too, except on this machine.
        """
        name = _host(host)
        is_safe = encrypted or not self._is_https or name in LOOPBACK
        return is_safe and name in self._hosts

    def allows_url(self, url: str) -> bool:
        """Return the same for an http(s) URL or a gRPC target (host:port)."""
        try:
            parsed = httpx.URL(url if "://" in url else f"grpc://{url}")
        except httpx.InvalidURL:
            return False
        return self.allows(parsed.host, encrypted=parsed.scheme == "https")

    async def metadata(self, target: str) -> dict[str, str]:
        """Return the metadata for gRPC calls to `target` (host:port or URL).

        gRPC has no query, so an API key that belongs there becomes metadata too.
        """
        if not self.allows_url(target):
            return {}
        metadata = {
            name.lower(): value for name, value in self._settings.headers.items()
        }
        for place, name, value in self._api_keys():
            if place == "cookie":
                metadata["cookie"] = _add_cookie(metadata.get("cookie"), name, value)
            else:
                metadata[name.lower()] = value
        if authorization := await self.authorization():
            metadata["authorization"] = authorization
        return metadata

    async def add_to(self, request: httpx.Request) -> None:
        for name, value in self._settings.headers.items():
            request.headers[name] = value
        for place, name, value in self._api_keys():
            if place == "header":
                request.headers[name] = value
            elif place == "cookie":
                cookies = request.headers.get("cookie")
                request.headers["cookie"] = _add_cookie(cookies, name, value)
            else:
                key = f"{quote(name, '')}={quote(value, '')}".encode()
                query = [request.url.query, key] if request.url.query else [key]
                request.url = request.url.copy_with(query=b"&".join(query))
        if authorization := await self.authorization():
            request.headers["authorization"] = authorization

    def remove_from(self, request: httpx.Request) -> None:
        """Remove the headers that httpx copied into a redirect to another host."""
        for name, value in list(request.headers.items()):
            if redact(value) != value:
                del request.headers[name]

    async def authorization(self) -> str | None:
        """Return the value of the Authorization header, with a valid token."""
        if self._tokens:
            return f"Bearer {await self._tokens.get()}"
        if self._choice.authorization == "bearer":
            return f"Bearer {self._settings.bearer}"
        if self._choice.authorization == "basic":
            return f"Basic {self._basic()}"
        return None

    def discard_token(self, authorization: str | None = None) -> bool:
        """Discard the OAuth token that the agent refused, or the current one.

        Return whether a new one may help.
        """
        if self._tokens is None:
            return False
        if authorization is None:
            return self._tokens.discard(self._tokens.current)
        return self._tokens.discard(authorization.removeprefix("Bearer "))

    def _basic(self) -> str:
        pair = f"{self._settings.username}:{self._settings.password}"
        return base64.b64encode(pair.encode()).decode()

    def _api_keys(self) -> Iterator[tuple[str, str, str]]:
        for place, name in self._choice.keys:
            yield place, name, self._settings.api_key or ""


class _Auth(httpx.Auth):
    """Adds the credentials for trusted hosts, and a new token after a 401."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        url, credentials = request.url, self._credentials
        if not credentials.allows(url.host, encrypted=url.scheme == "https"):
            credentials.remove_from(request)
            yield request
            return
        await credentials.add_to(request)
        try:
            response = yield request
            sent = request.headers.get("authorization", "")
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return
            if not credentials.discard_token(sent):
                return
            # httpx would read the body to its end, and it may have none.
            await response.stream.aclose()  # type: ignore[union-attr]
            response.stream = httpx.ByteStream(b"")
            if authorization := await credentials.authorization():
                request.headers["authorization"] = authorization
                yield request
        finally:
            # Errors quote the URL. It must not contain an API key.
            request.url = url


def _header_secrets(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the values that may be secret, also without a scheme before them."""
    for name, value in headers.items():
        if WORDS.fullmatch(value) and not SECRET_NAME.search(name):
            continue
        yield value
        scheme, _, rest = value.partition(" ")
        if scheme.lower() in SCHEMES:
            yield rest
        if scheme.lower() == "basic":
            yield _password(rest)


def _password(basic: str) -> str:
    try:
        return base64.b64decode(basic).decode().partition(":")[2]
    except ValueError:
        return ""


def _add_cookie(cookies: str | None, name: str, value: str) -> str:
    return f"{cookies}; {name}={value}" if cookies else f"{name}={value}"


def _host(text: str) -> str:
    """Return the host in httpx's form: lower case, and Unicode for an IDNA name.

    Return "" if it is not a host.
    """
    try:
        return httpx.URL(scheme="http", host=text.strip("[]").rstrip(".")).host
    except httpx.InvalidURL:
        return ""
