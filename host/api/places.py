"""Limits the open connections: of all clients, and of each client's address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from math import ceil

from ..config.address_rules import unmap_address
from .request_limits import RequestRefused
from .sessions import find_network

MAX_PER_ADDRESS = 8_000
SHARE = 0.75  # Of all connections. One address must not take those of the others.


@lru_cache(maxsize=1_000)  # It took 10 µs for IPv4, and 100 µs for IPv6.
def find_owner(address: str) -> str:
    """Return whose limit counts for a peer: its address, or its /64 of IPv6."""
    return find_network(unmap_address(address))


def trust_nobody(_address: str) -> bool:
    return False


class Places:
    """Counts connections. The clients of trusted proxies have no limit of their own,
    because the proxy has the same address for all of them."""

    def __init__(
        self, most: int | None, trusts: Callable[[str], bool] = trust_nobody
    ) -> None:
        self._most = most
        self._trusts = trusts
        self._used = 0
        self._used_by: Counter[str] = Counter()
        self._most_per_address = MAX_PER_ADDRESS
        if most is not None:
            self._most_per_address = min(MAX_PER_ADDRESS, ceil(most * SHARE))

    def take(self, address: str) -> str:
        """Return the owner of the place, for `free`. Raises RequestRefused."""
        if self._most is not None and self._used >= self._most:
            raise RequestRefused(
                503, f"the limit of {self._most} connections is reached"
            )
        owner = find_owner(address)
        most = self._most_per_address
        if self._used_by[owner] >= most and not self._trusts(address):
            raise RequestRefused(
                429,
                f"{owner} has {most} connections, the limit of one address: close some",
            )
        self._used += 1
        self._used_by[owner] += 1
        return owner

    def free(self, owner: str) -> None:
        self._used -= 1
        self._used_by[owner] -= 1
        if not self._used_by[owner]:
            del self._used_by[owner]
