"""Owns what an agent is shown, so that it answers: chosen by its card, its host's only.

`auth` goes to httpx and `metadata` to gRPC; settings and the agent's card come in.
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from http import HTTPStatus
from urllib.parse import quote

import httpx
from a2a.types import a2a_pb2 as pb

from ..config.address_rules import LOOPBACK
from ..config.agent_settings import AgentSettings
from ..observability.redaction import protect, redact
from .oauth import TokenSource
from .security_schemes import Choice, as_given, choose


class Credentials:
    """Of one agent. What needs a token raises AgentUnreachable when none can be had.

    `trouble` says what the card asks for and the settings do not give; else None.
    The client that uses `auth` must not follow redirects by itself.
    """

    def __init__(
        self, settings: AgentSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        url = httpx.URL(settings.url)
        self._given = given = settings.credentials
        self._encrypted = url.scheme == "https"
        self._hosts = {_host(url.host), *map(_host, settings.trusted_hosts)}
        if not self._hosts.isdisjoint(LOOPBACK):
            # An agent at one of this machine's names may call itself by another.
            self._hosts.update(LOOPBACK)
        self._clock = clock
        self._tokens: TokenSource | None = None
        self._choice = Choice()
        protect(
            self,
            *(given.bearer, given.api_key, given.password, given.client_secret),
            *(value for _, value in given.headers),
            self._basic() if given.username else None,
        )
        self._apply(as_given(given))
        self.auth: httpx.Auth = _Auth(self)

    @property
    def trouble(self) -> str | None:
        return self._choice.trouble

    def use_card(self, card: pb.AgentCard) -> None:
        """Chooses among the card's security schemes; call it for each new card."""
        self._apply(choose(self._given, card, self.allows_url))

    def _apply(self, choice: Choice) -> None:
        self._choice = choice
        if choice.authorization != "oauth" or choice.token_url is None:
            self._tokens = None
        elif not self._tokens or self._tokens.asks != (
            choice.token_url,
            choice.scopes,
        ):
            self._tokens = TokenSource(
                self._given, choice.token_url, choice.scopes, self._clock
            )

    def allows(self, host: str, *, encrypted: bool = True) -> bool:
        """Whether this host may see the credentials: the URL's own, or a trusted one.
        An agent at https is never shown them unencrypted, but on this machine."""
        name = _host(host)
        safe = encrypted or not self._encrypted or name in LOOPBACK
        return safe and name in self._hosts

    def allows_url(self, url: str) -> bool:
        """The same, of an http(s) URL or a gRPC target (host:port)."""
        try:
            parsed = httpx.URL(url if "://" in url else f"grpc://{url}")
        except httpx.InvalidURL:
            return False
        return self.allows(parsed.host, encrypted=parsed.scheme == "https")

    async def metadata(self, target: str) -> dict[str, str]:
        """What gRPC calls to `target` (host:port or URL) carry; {} if not allowed."""
        if not self.allows_url(target):
            return {}
        carried = {name.lower(): value for name, value in self._given.headers}
        for place, name, value in self._keys():
            if place == "cookie":
                carried["cookie"] = _joined(carried.get("cookie"), name, value)
            else:
                carried[name.lower()] = value
        if authorization := await self.authorization():
            carried["authorization"] = authorization
        return carried

    def renew(self) -> None:
        """The OAuth token was refused: the next call fetches another."""
        if self._tokens and self._tokens.known:
            self._tokens.refused(self._tokens.known)

    async def authorization(self) -> str | None:
        """The value of the Authorization field, with a token that is still good."""
        if self._tokens:
            return f"Bearer {await self._tokens.token()}"
        if self._choice.authorization == "bearer":
            return f"Bearer {self._given.bearer}"
        if self._choice.authorization == "basic":
            return f"Basic {self._basic()}"
        return None

    def _basic(self) -> str:
        pair = f"{self._given.username}:{self._given.password}"
        return base64.b64encode(pair.encode()).decode()

    def _keys(self) -> Iterator[tuple[str, str, str]]:
        for place, name in self._choice.keys:
            yield place, name, self._given.api_key or ""

    async def show(self, request: httpx.Request) -> None:
        """Puts everything into a request whose host `allows` lets have it."""
        for name, value in self._given.headers:
            request.headers[name] = value
        for place, name, value in self._keys():
            if place == "header":
                request.headers[name] = value
            elif place == "cookie":
                cookies = request.headers.get("cookie")
                request.headers["cookie"] = _joined(cookies, name, value)
            else:
                key = f"{quote(name, '')}={quote(value, '')}".encode()
                query = request.url.query
                request.url = request.url.copy_with(
                    query=query + b"&" + key if query else key
                )
        if authorization := await self.authorization():
            request.headers["authorization"] = authorization

    def hide(self, request: httpx.Request) -> None:
        """Takes out of a request to anybody else what a redirect copied into it."""
        for name, value in list(request.headers.items()):
            if redact(value) != value:
                del request.headers[name]

    def refused(self, authorization: str) -> bool:
        """The agent answered 401 to it: whether another token may help."""
        tokens = self._tokens
        return tokens is not None and tokens.refused(
            authorization.removeprefix("Bearer ")
        )


class _Auth(httpx.Auth):
    """Adds the credentials for the agent's own hosts, and a new token after a 401."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        url, credentials = request.url, self._credentials
        if not credentials.allows(url.host, encrypted=url.scheme == "https"):
            credentials.hide(request)
            yield request
            return
        await credentials.show(request)
        try:
            response = yield request
            sent = request.headers.get("authorization", "")
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return
            if not credentials.refused(sent):
                return
            # httpx would read the body to its end, and it may have none.
            await response.stream.aclose()  # type: ignore[union-attr]
            response.stream = httpx.ByteStream(b"")
            if authorization := await credentials.authorization():
                request.headers["authorization"] = authorization
                yield request
        finally:
            # An error quotes the URL: without an API key in its query.
            request.url = url


def _joined(cookies: str | None, name: str, value: str) -> str:
    return f"{cookies}; {name}={value}" if cookies else f"{name}={value}"


def _host(text: str) -> str:
    """As httpx compares it: small letters, an international name in its own letters.
    Empty for what is no host."""
    try:
        return httpx.URL(scheme="http", host=text.strip("[]").rstrip(".")).host
    except httpx.InvalidURL:
        return ""
