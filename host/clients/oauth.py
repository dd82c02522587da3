"""Fetches, keeps and renews an agent's OAuth 2 access token, with client credentials.

RFC 6749, section 4.4.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote_plus

import anyio
import httpx
import msgspec

from ..config.agent_settings import VISIBLE, CredentialSettings
from ..errors import AgentUnreachable
from ..observability.redaction import Secrets, protect
from .http_client import client

DEADLINE_S = 5.0
MAX_RESPONSE = 64 * 1024
# A token is renewed this early, or after four fifths of its life if that is less.
MARGIN_S = 30.0
# If a younger token is refused, its age is not the reason, and a new one will not help.
MIN_AGE_S = 1.0
# RFC 6749, section 5.2. Other texts of the endpoint may quote the secret.
ERROR_CODES = frozenset(
    (
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    )
)


class _Token(NamedTuple):
    text: str
    fetched_at: float
    renew_at: float


class _TokenResponse(msgspec.Struct):
    access_token: str = ""
    token_type: str = ""
    expires_in: float | str | None = None
    error: str = ""


class TokenSource:
    """The token of one endpoint and its scopes. `clock` counts seconds."""

    def __init__(
        self,
        settings: CredentialSettings,
        token_url: str,
        scopes: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        self.request = (token_url, scopes)
        self._id = settings.client_id or ""
        self._secret = settings.client_secret or ""
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: _Token | None = None
        # A late error may still quote the token before.
        self._recent: deque[str] = deque(maxlen=2)
        self.secrets = Secrets()
        self._failure = ""
        self._failed_at = -math.inf
        # Whether the secret goes into the form. Every endpoint must support HTTP Basic,
        # but some do not.
        self._use_form: tuple[bool, ...] = (False, True)

    @property
    def current(self) -> str | None:
        """The token, which may have expired."""
        return self._token.text if self._token else None

    async def get(self) -> str:
        """Return a valid token. Raises AgentUnreachable.

        Callers that wait for the same request share its token or its failure.
        """
        asked_at = self._clock()
        if token := self._valid():
            return token
        async with self._lock:
            if token := self._valid():
                return token
            if self._failed_at >= asked_at:
                raise AgentUnreachable(self._failure)
            try:
                self._token = await self._fetch()
            except AgentUnreachable as error:
                self._failure, self._failed_at = str(error), self._clock()
                raise
            self._recent.append(self._token.text)
            self.secrets = protect(self, *self._recent)
            return self._token.text

    def discard(self, token: str | None) -> bool:
        """Discard a token that the agent refused. Return whether a new one may help."""
        if self._token and self._token.text == token:
            if self._clock() - self._token.fetched_at < MIN_AGE_S:
                return False
            self._token = None
        return True

    def _valid(self) -> str | None:
        token = self._token
        return token.text if token and self._clock() < token.renew_at else None

    async def _fetch(self) -> _Token:
        try:
            with anyio.fail_after(DEADLINE_S):
                return await self._request()
        except (TimeoutError, httpx.TimeoutException):
            raise self._error(f"no response within {DEADLINE_S:g} s") from None
        except httpx.ConnectError as error:
            raise self._error(f"no connection: {str(error)[:200]}") from None
        except httpx.HTTPError as error:
            # Its text may quote the request.
            raise self._error(f"connection broken: {type(error).__name__}") from None

    async def _request(self) -> _Token:
        async with client(httpx.Timeout(DEADLINE_S)) as http:
            for use_form in self._use_form:
                fetched_at = self._clock()
                status, body = await self._post(http, use_form)
                if status == httpx.codes.OK:
                    self._use_form = (use_form,)
                if status not in (400, 401):
                    break
        try:
            response = msgspec.json.decode(body, type=_TokenResponse)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            response = _TokenResponse()
        if status != httpx.codes.OK:
            code = response.error if response.error in ERROR_CODES else ""
            raise self._error(f"HTTP {status} {code}".rstrip())
        if not VISIBLE.fullmatch(response.access_token):
            raise self._error("the response contains no token")
        if response.token_type.lower() not in ("bearer", ""):
            raise self._error("the token is not a bearer token")
        lifetime_s = _lifetime_s(response.expires_in)
        margin_s = min(MARGIN_S, lifetime_s / 5)
        return _Token(
            response.access_token, fetched_at, fetched_at + lifetime_s - margin_s
        )

    async def _post(self, http: httpx.AsyncClient, use_form: bool) -> tuple[int, bytes]:
        token_url, scopes = self.request
        form = {"grant_type": "client_credentials"}
        if scopes:
            form["scope"] = " ".join(scopes)
        if use_form:
            form |= {"client_id": self._id, "client_secret": self._secret}
        # RFC 6749, section 2.3.1: both are form-encoded before the base64.
        basic = httpx.BasicAuth(quote_plus(self._id), quote_plus(self._secret))
        async with http.stream(
            "POST",
            token_url,
            data=form,
            headers={"accept": "application/json", "accept-encoding": "identity"},
            auth=None if use_form else basic,
        ) as response:
            body = bytearray()
            # Raw, because a compressed body could be huge.
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_RESPONSE:
                    raise self._error(f"response over {MAX_RESPONSE // 1024} KiB")
            return response.status_code, bytes(body)

    def _error(self, cause: str) -> AgentUnreachable:
        place = httpx.URL(self.request[0]).copy_with(userinfo=b"", query=None)
        return AgentUnreachable(f"OAuth: {cause} (the token endpoint, {place})")


def _lifetime_s(expires_in: float | str | None) -> float:
    """Return at least a second, and infinity if unknown: then the agent refuses the
    token when it has expired."""
    try:
        lifetime_s = float(math.inf if expires_in is None else expires_in)
    except (ValueError, OverflowError):
        return math.inf
    return math.inf if math.isnan(lifetime_s) else max(lifetime_s, 1)
