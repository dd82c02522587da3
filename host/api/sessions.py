"""Owns who somebody is: tokens, the sessions that browsers have for one, guesses.

The guard asks it for a role, and the login page for a session.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from typing import Any

ANYONE, OPERATOR, READER = "anyone", "operator", "reader"
"""Without tokens everybody is anyone, and may do what an operator may."""

ROLE = "courtside.role"
"""Where the guard notes it in the ASGI scope; nothing stands there for a stranger."""

SESSION_S = 7 * 24 * 3600
BURST = 10  # Wrong tokens at once, from one address;
EVERY_S = 3.0  # then one in this time.
MAX_ADDRESSES = 10_000


class Access:
    """Whom `token` and `read_token` let in. `clock` is the time of day in seconds.

    A session is no token: who reads it from a browser learns none. It is signed with
    one, so that it outlasts a restart of the host, and ends when the token changes.
    """

    def __init__(
        self, token: str, read_token: str, clock: Callable[[], float] = time.time
    ) -> None:
        given = {OPERATOR: token, READER: read_token}
        self._tokens = {role: _digest(text) for role, text in given.items() if text}
        self._clock = clock
        self._ended: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        return not self._tokens

    def role_of_token(self, text: str) -> str | None:
        given, found = _digest(text), None
        for role, token in self._tokens.items():
            if hmac.compare_digest(token, given):
                found = role
        return found

    def session(self, role: str) -> str:
        """A new one: what it is and until when, and a proof that it is of this host."""
        until = int(self._clock()) + SESSION_S
        said = f"{role}.{until}.{secrets.token_hex(8)}"
        return f"{said}.{self._proof(role, said)}"

    def role_of_session(self, text: str) -> str | None:
        said, _, proof = text.rpartition(".")
        role = said.partition(".")[0]
        if role not in self._tokens or not proof.isascii():
            return None
        if not hmac.compare_digest(self._proof(role, said), proof):
            return None
        is_over = _until(said) < self._clock() or said in self._ended
        return None if is_over else role

    def end(self, session: str) -> None:
        """It opens nothing any more, should somebody have copied it."""
        if self.role_of_session(session) is None:
            return
        now, said = self._clock(), session.rpartition(".")[0]
        self._ended = {one: at for one, at in self._ended.items() if at > now}
        self._ended[said] = _until(said)

    def _proof(self, role: str, said: str) -> str:
        key = hmac.digest(self._tokens[role], b"courtside session", "sha256")
        return hmac.new(key, said.encode(), "sha256").hexdigest()


class Guesses:
    """Counts wrong tokens by address, so that nobody tries many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_at: dict[str, float] = {}

    def wait_s(self, address: str) -> float:
        """How long nothing from there is looked at, 0 for no wait."""
        free_at = self._free_at.get(_near(address), 0.0)
        return max(0.0, free_at - self._clock() - (BURST - 1) * EVERY_S)

    def wrong(self, address: str) -> None:
        now, place = self._clock(), _near(address)
        free_at = max(now, self._free_at.pop(place, now)) + EVERY_S
        if len(self._free_at) >= MAX_ADDRESSES:
            del self._free_at[next(iter(self._free_at))]
        self._free_at[place] = free_at


def get_role(scope: Any) -> str | None:
    """Of whoever sent this request, None for a stranger."""
    role: str | None = scope.get(ROLE)
    return role


def is_token_required(scope: Any) -> bool:
    """Whether this request needed a token."""
    return get_role(scope) in (OPERATOR, READER)


def _digest(text: str) -> bytes:
    """Of one length, so that a comparison does not tell a token's."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _until(said: str) -> int:
    return int(said.split(".")[1])


def _near(address: str) -> str:
    """One who has an IPv6 address has 2^64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
