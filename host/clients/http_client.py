"""Creates the HTTP clients for agents: certificates, proxies, forbidden addresses."""

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

# Requests to this machine do not use the proxy of the environment.
DIRECT = {
    f"all://[{host}]" if ":" in host else f"all://{host}": None for host in LOOPBACK
}
# Servers close idle connections: gunicorn after 2 s, uvicorn and Node.js after 5. So
# does httpx, and a request sent at that moment is lost: a POST is not sent twice.
LIMITS = httpx.Limits(keepalive_expiry=1.5)
FIRST_S = 1.0  # For each address of a name but the last: IPv6 may not work.


def client(
    timeout: httpx.Timeout,
    auth: httpx.Auth | None = None,
    *,
    public_only: bool = False,
) -> httpx.AsyncClient:
    """Return a client that connects only to addresses that it has checked.

    It does not follow redirects, because API keys and cookies would go to the new URL.
    """
    http = httpx.AsyncClient(
        auth=auth,
        timeout=timeout,
        limits=LIMITS,
        verify=_ssl_context(),
        mounts=DIRECT,
        follow_redirects=False,
    )
    # Private: httpx has no parameter for the network backend (encode/httpx#3749), and
    # with a transport of our own it would ignore the proxies of the environment.
    # pyproject.toml has the upper bound, test_http_client.py the test.
    pool = http._transport._pool  # type: ignore[attr-defined]
    pool._network_backend = _CheckedBackend(pool._network_backend, public_only)
    return http


@cache
def _ssl_context() -> ssl.SSLContext:
    """Load this machine's certificates once: it blocks the event loop for 20 ms."""
    return httpx.create_ssl_context()


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks up a name once, checks its addresses, and connects to one of them."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, public_only: bool) -> None:
        self._inner = inner
        self._public_only = public_only

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
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
            first_s = FIRST_S if timeout is None else min(timeout, FIRST_S)
            try:
                return await self._inner.connect_tcp(
                    first, port, first_s, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                first = other
        return await self._inner.connect_tcp(
            first, port, timeout, local_address, socket_options
        )

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


async def addresses(host: str, port: int, public_only: bool) -> list[str]:
    """Return the addresses of a host name, each once.

    Raises AgentUnreachable if one of them is forbidden, and OSError if there is none.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    unique = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in unique:
        if is_link_local(address) or is_link_local(host):
            kind = "link-local or metadata"
        elif public_only and is_private(address):
            kind = "private"
        else:
            continue
        raise AgentUnreachable(f"DNS: the name leads to the {kind} address {address}")
    return unique
