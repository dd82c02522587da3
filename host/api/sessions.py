"""Checks tokens and sessions, signs browsers in and out, and builds the cookie."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Callable
from math import ceil
from typing import NamedTuple
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import Scope

from ..config.address_rules import parse_address
from ..observability.logfmt import Line

logger = logging.getLogger("courtside.sessions")

ANYONE, OPERATOR, READER = "anyone", "operator", "reader"
"""Without tokens, everybody is `anyone` and has full access."""

ROLE = "courtside.role"
"""The key in the ASGI scope where the guard stores the role, if there is one."""

SESSION_S = 7 * 24 * 3600
MAX_WRONG_TOKENS = 10  # At once, from one address;
WRONG_TOKEN_EVERY_S = 3.0  # then one in this time.
MAX_ADDRESSES = 10_000


class Access(NamedTuple):
    """The role of a request. Without one, the client must wait before the next try."""

    role: str | None
    wait_s: float = 0.0

    @property
    def wait_text(self) -> str:
        return f"too many wrong tokens: wait {ceil(self.wait_s)} s"


class Sessions:
    """Finds the role of each request, and signs browsers in and out."""

    def __init__(self, port: int, token: str, read_token: str) -> None:
        self._authenticator = Authenticator(token, read_token)
        self._limit = WrongTokenLimit()
        # Browsers send cookies to all ports of a host.
        self._cookie = f"courtside_{port}"
        self._pattern = re.compile(rf"(?:^|;)[ \t]*{self._cookie}=([^;]*)")

    def authenticate(self, scope: Scope) -> Access:
        """Find the role from the Authorization header or the session cookie."""
        if not self._authenticator.has_tokens:
            return Access(ANYONE)
        header = Headers(scope=scope).get("authorization", "")
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer":
            return self._check_token(scope, token.strip())
        return Access(self._authenticator.find_session_role(self._read_cookie(scope)))

    def sign_in(self, scope: Scope, token: str) -> tuple[int, str]:
        """Return 200 and the cookie to set, or an error status and its message."""
        access = self._check_token(scope, token)
        if access.wait_s:
            return 429, access.wait_text
        if not access.role:
            return 403, "wrong token"
        logger.info(Line(client=get_client(scope), signed_in=access.role))
        session = self._authenticator.create_session(access.role)
        return 200, self._build_cookie(scope, session, SESSION_S)

    def sign_out(self, scope: Scope) -> str:
        """End the session. Return the cookie that deletes it in the browser."""
        self._authenticator.end_session(self._read_cookie(scope))
        return self._build_cookie(scope, "", 0)

    def _check_token(self, scope: Scope, token: str) -> Access:
        address = get_client(scope)
        if wait_s := self._limit.wait_s(address):
            return Access(None, wait_s)
        role = self._authenticator.find_token_role(token)
        if not role:
            self._limit.count(address)
            logger.warning(Line(client=address, refused="token", path=scope["path"]))
        return Access(role)

    def _read_cookie(self, scope: Scope) -> str:
        # Starlette's parser unquotes all cookies, which takes a minute for 64 KiB of
        # backslashes in Python before 3.12.6 (CVE-2024-7592). A session has no quotes.
        header = ";".join(Headers(scope=scope).getlist("cookie"))
        found: list[str] = self._pattern.findall(header)
        return found[-1].strip() if found else ""

    def _build_cookie(self, scope: Scope, session: str, max_age_s: int) -> str:
        prefix = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
        path = quote(prefix, safe="/~") + "/"
        secure = "; Secure" if scope["scheme"] == "https" else ""
        return (
            f"{self._cookie}={session}; Max-Age={max_age_s}; Path={path}; HttpOnly; "
            f"SameSite=Strict{secure}"
        )


class Authenticator:
    """Finds the role of a token or a session. `clock` returns the Unix time.

    A session is `role.expiry.random.signature`. It does not contain the token, but the
    token signs it: it survives a restart of the host, and ends when the token changes.
    """

    def __init__(
        self, token: str, read_token: str, clock: Callable[[], float] = time.time
    ) -> None:
        tokens = {OPERATOR: token, READER: read_token}
        self._digests = {role: _digest(text) for role, text in tokens.items() if text}
        self._clock = clock
        self._ended: dict[str, float] = {}

    @property
    def has_tokens(self) -> bool:
        return bool(self._digests)

    def find_token_role(self, token: str) -> str | None:
        digest, found = _digest(token), None
        for role, expected in self._digests.items():
            if hmac.compare_digest(expected, digest):
                found = role
        return found

    def create_session(self, role: str) -> str:
        expiry = int(self._clock()) + SESSION_S
        payload = f"{role}.{expiry}.{secrets.token_hex(8)}"
        return f"{payload}.{self._sign(role, payload)}"

    def find_session_role(self, session: str) -> str | None:
        payload, _, signature = session.rpartition(".")
        role = payload.partition(".")[0]
        if role not in self._digests or not signature.isascii():
            return None
        if not hmac.compare_digest(self._sign(role, payload), signature):
            return None
        has_ended = _expiry(payload) < self._clock() or payload in self._ended
        return None if has_ended else role

    def end_session(self, session: str) -> None:
        """End the session for all copies of its cookie."""
        if self.find_session_role(session) is None:
            return
        now, payload = self._clock(), session.rpartition(".")[0]
        self._ended = {one: at for one, at in self._ended.items() if at > now}
        self._ended[payload] = _expiry(payload)

    def _sign(self, role: str, payload: str) -> str:
        key = hmac.digest(self._digests[role], b"courtside session", "sha256")
        return hmac.new(key, payload.encode(), "sha256").hexdigest()


class WrongTokenLimit:
    """Limits how many wrong tokens one address can try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_at: dict[str, float] = {}

    def wait_s(self, address: str) -> float:
        """Return how long to reject all tokens from this address, or 0."""
        free_at = self._free_at.get(find_network(address), 0.0)
        burst_s = (MAX_WRONG_TOKENS - 1) * WRONG_TOKEN_EVERY_S
        return max(0.0, free_at - self._clock() - burst_s)

    def count(self, address: str) -> None:
        now, network = self._clock(), find_network(address)
        free_at = max(now, self._free_at.pop(network, now)) + WRONG_TOKEN_EVERY_S
        if len(self._free_at) >= MAX_ADDRESSES:
            del self._free_at[next(iter(self._free_at))]
        self._free_at[network] = free_at


def get_role(scope: Scope) -> str | None:
    role: str | None = scope.get(ROLE)
    return role


def is_token_required(scope: Scope) -> bool:
    """Return whether the client of this request needed a token."""
    return get_role(scope) in (OPERATOR, READER)


def get_client(scope: Scope) -> str:
    """Return the address of the client, or an empty text."""
    client = scope.get("client")
    return client[0] if client else ""


def _digest(token: str) -> bytes:
    # All digests have one length, so a comparison does not reveal the token's length.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _expiry(payload: str) -> int:
    return int(payload.split(".")[1])


def find_network(address: str) -> str:
    """Return the address, or the /64 of an IPv6 address: one client has all of it."""
    parsed = parse_address(address)
    if parsed is None or parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
