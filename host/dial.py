"""Owns how the host dials out over HTTP: certificates, proxies, where it never goes.

Its clients go to the bindings, to the card's fetcher and to the token endpoint's.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx

from host.errors import AgentUnreachable
from host.link_local import is_link_local


def client(
    timeout: httpx.Timeout, limits: httpx.Limits, auth: httpx.Auth | None = None
) -> httpx.AsyncClient:
    """Follows no redirects: API keys and cookies would go with them to anybody."""
    # A proxy that the environment names does not stand before this machine.
    direct = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
    return httpx.AsyncClient(
        auth=auth,
        timeout=timeout,
        limits=limits,
        verify=_trusted(),
        mounts=direct,
        follow_redirects=False,
        event_hooks={"request": [_watch]},
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates: to load them costs 20 ms of the event loop."""
    return httpx.create_ssl_context()


async def _watch(request: httpx.Request) -> None:
    request.extensions["trace"] = _refuse_link_local


async def _refuse_link_local(event: str, info: dict[str, Any]) -> None:
    """Ends a connection before anything is sent where the name led out of bounds."""
    if event != "connection.connect_tcp.complete":
        return
    stream = info["return_value"]
    address = stream.get_extra_info("server_addr")
    if address and is_link_local(str(address[0])):
        await stream.aclose()
        raise AgentUnreachable(
            f"DNS: the name leads to the link-local or metadata address {address[0]}"
        )
