"""Owns an agent's OAuth 2 access token: fetched with client credentials, kept, renewed.

`Credentials` asks for it before each request. RFC 6749, 4.4.
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
from ..observability.redaction import protect
from .http_client import client

DEADLINE_S = 5.0
MAX_ANSWER = 64 * 1024
# Renewed this early, or after four fifths of its life where that is shorter.
MARGIN_S = 30.0
# A token that is refused younger than this is not too old: another will not help.
MIN_AGE_S = 1.0
# RFC 6749, 5.2. No other text of the endpoint is shown: it may echo the secret.
CODES = frozenset(
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
    good_until: float


class _Answer(msgspec.Struct):
    access_token: str = ""
    token_type: str = ""
    expires_in: float | str | None = None
    error: str = ""


class TokenSource:
    """The token for one endpoint and its scopes. `clock` counts seconds."""

    def __init__(
        self,
        given: CredentialSettings,
        token_url: str,
        scopes: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        self.asks = (token_url, scopes)
        self._id = given.client_id or ""
        self._secret = given.client_secret or ""
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: _Token | None = None
        # A late error may still quote the token before.
        self._recent: deque[str] = deque(maxlen=2)
        self._failure = ""
        self._failed_at = -math.inf
        # Basic, which every endpoint must know; then the form, for those that do not.
        self._ways: tuple[bool, ...] = (False, True)

    @property
    def known(self) -> str | None:
        """The token as it is, however old, without asking for one."""
        return self._token.text if self._token else None

    async def token(self) -> str:
        """One that is good for a while. Raises AgentUnreachable.

        Whoever asks while a request is under way shares its token or its failure.
        """
        asked_at = self._clock()
        if token := self._good():
            return token
        async with self._lock:
            if token := self._good():
                return token
            if self._failed_at >= asked_at:
                raise AgentUnreachable(self._failure)
            try:
                self._token = await self._fetch()
            except AgentUnreachable as error:
                self._failure, self._failed_at = str(error), self._clock()
                raise
            self._recent.append(self._token.text)
            protect(self, *self._recent)
            return self._token.text

    def refused(self, token: str) -> bool:
        """The agent refused it: whether it is worth asking for another."""
        known = self._token
        if known and known.text == token:
            if self._clock() - known.fetched_at < MIN_AGE_S:
                return False
            self._token = None
        return True

    def _good(self) -> str | None:
        token = self._token
        return token.text if token and self._clock() < token.good_until else None

    async def _fetch(self) -> _Token:
        try:
            with anyio.fail_after(DEADLINE_S):
                return await self._ask()
        except (TimeoutError, httpx.TimeoutException):
            raise self._failed(f"no answer within {DEADLINE_S:g} s") from None
        except httpx.ConnectError as error:
            raise self._failed(f"no connection: {str(error)[:200]}") from None
        except httpx.HTTPError as error:
            # Its text may quote what was sent.
            raise self._failed(f"broken: {type(error).__name__}") from None

    async def _ask(self) -> _Token:
        async with client(httpx.Timeout(DEADLINE_S)) as http:
            for in_form in self._ways:
                fetched_at = self._clock()
                status, body = await self._post(http, in_form)
                if status == httpx.codes.OK:
                    self._ways = (in_form,)
                if status not in (400, 401):
                    break
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            answer = _Answer()
        if status != httpx.codes.OK:
            code = answer.error if answer.error in CODES else ""
            raise self._failed(f"HTTP {status} {code}".rstrip())
        if not VISIBLE.fullmatch(answer.access_token):
            raise self._failed("there is no token in its answer")
        if answer.token_type.lower() not in ("bearer", ""):
            raise self._failed("its token is no bearer token")
        lifetime_s = _seconds(answer.expires_in)
        margin_s = min(MARGIN_S, lifetime_s / 5)
        return _Token(
            answer.access_token, fetched_at, fetched_at + lifetime_s - margin_s
        )

    async def _post(self, http: httpx.AsyncClient, in_form: bool) -> tuple[int, bytes]:
        token_url, scopes = self.asks
        form = {"grant_type": "client_credentials"}
        if scopes:
            form["scope"] = " ".join(scopes)
        if in_form:
            form |= {"client_id": self._id, "client_secret": self._secret}
        # RFC 6749, 2.3.1: both are form-encoded before they are base64.
        basic = httpx.BasicAuth(quote_plus(self._id), quote_plus(self._secret))
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with http.stream(
            "POST",
            token_url,
            data=form,
            headers=headers,
            auth=None if in_form else basic,
        ) as response:
            body = bytearray()
            # Raw: what is compressed could swell.
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise self._failed(f"its answer is over {MAX_ANSWER // 1024} KiB")
            return response.status_code, bytes(body)

    def _failed(self, why: str) -> AgentUnreachable:
        place = httpx.URL(self.asks[0]).copy_with(userinfo=b"", query=None)
        return AgentUnreachable(f"OAuth: {why} (the token endpoint, {place})")


def _seconds(expires_in: float | str | None) -> float:
    """A lifetime, of a second at least; endless where the answer gives none: the agent
    will refuse it."""
    try:
        lifetime_s = float(math.inf if expires_in is None else expires_in)
    except (ValueError, OverflowError):
        return math.inf
    return math.inf if math.isnan(lifetime_s) else max(lifetime_s, 1)
