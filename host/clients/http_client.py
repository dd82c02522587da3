"""Creates the HTTP clients for agents."""

from __future__ import annotations

import ssl
from functools import cache

import httpx

from ..config.address_rules import LOOPBACK
from .aiohttp_transport import AiohttpTransport
from .loop_budget import LoopBudget

# Requests to this machine do not use the proxy of the environment.
DIRECT = {
    f"all://[{host}]" if ":" in host else f"all://{host}": None for host in LOOPBACK
}


def client(
    timeout: httpx.Timeout,
    auth: httpx.Auth | None = None,
    *,
    public_only: bool = False,
    budget: LoopBudget | None = None,
) -> httpx.AsyncClient:
    """Return a client that connects only to addresses that it has checked.

    It does not follow redirects, because API keys and cookies would go to the new URL.
    """
    return httpx.AsyncClient(
        auth=auth,
        timeout=timeout,
        transport=AiohttpTransport(
            _ssl_context(), budget or LoopBudget(), public_only=public_only
        ),
        follow_redirects=False,
    )


@cache
def _ssl_context() -> ssl.SSLContext:
    """Load this machine's certificates once: it blocks the event loop for 20 ms."""
    return httpx.create_ssl_context()
