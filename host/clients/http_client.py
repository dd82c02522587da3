"""Owns how the host dials out: certificates, proxies, where it never goes.

Its clients go to the bindings, to the card's fetcher and to the token endpoint's.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any

import anyio
import httpcore
import httpx

from ..config.address_rules import LOOPBACK, is_link_local, is_private
from ..errors import AgentUnreachable

# httpx sends requests to this machine without the proxy of the environment.
DIRECT = {
    f"all://[{host}]" if ":" in host else f"all://{host}": None for host in LOOPBACK
}
# gunicorn closes an idle connection after 2 s, uvicorn and Node.js do after 5, as httpx
# does by itself: what is sent at that moment is lost, and a POST is not sent twice.
LIMITS = httpx.Limits(keepalive_expiry=1.5)
FIRST_S = 1.0  # For each address of a name but the last, as when IPv6 leads nowhere.


def client(
    timeout: httpx.Timeout,
    auth: httpx.Auth | None = None,
    *,
    public_only: bool = False,
) -> httpx.AsyncClient:
    """Connects only to addresses that were checked after the name was looked up.

    Follows no redirects: API keys and cookies would go with them to anybody.
    """
    made = httpx.AsyncClient(
        auth=auth,
        timeout=timeout,
        limits=LIMITS,
        verify=_trusted(),
        mounts=DIRECT,
        follow_redirects=False,
    )
    # httpx has no parameter for it, and one of its own transports would know no proxy.
    pool = made._transport._pool  # type: ignore[attr-defined]
    pool._network_backend = _Checked(pool._network_backend, public_only)
    return made


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates: to load them costs 20 ms of the event loop."""
    return httpx.create_ssl_context()


class _Checked(httpcore.AsyncNetworkBackend):
    """Looks a name up once, and connects to what it found and checked."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, public_only: bool) -> None:
        self._inner = inner
        self._public_only = public_only

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            with anyio.fail_after(timeout):
                first, *others = await addresses(host, port, self._public_only)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for other in others:
            patience_s = FIRST_S if timeout is None else min(timeout, FIRST_S)
            try:
                return await self._inner.connect_tcp(
                    first, port, patience_s, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                first = other
        return await self._inner.connect_tcp(
            first, port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def addresses(host: str, port: int, public_only: bool) -> list[str]:
    """Where a name leads, each once, at least one. Raises AgentUnreachable where one of
    them is out of bounds, and OSError where there is none."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    unique = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in unique:
        if is_link_local(address) or is_link_local(host):
            what = "link-local or metadata"
        elif public_only and is_private(address):
            what = "private"
        else:
            continue
        raise AgentUnreachable(f"DNS: the name leads to the {what} address {address}")
    return unique
