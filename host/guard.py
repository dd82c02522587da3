"""Owns who may speak to the host: requests of this machine and of its own page.

Stands in front of everything else. A hostile page in the user's browser can send
requests here: by a name of its own that resolves to 127.0.0.1 (DNS rebinding, so
the Host header must be ours), or across origins (so a write must not come from one).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Scope

READS = ("GET", "HEAD", "OPTIONS")
NAMES = ("127.0.0.1", "localhost", "::1")


def refusal(scope: Scope) -> PlainTextResponse | None:
    """400 for a foreign Host, 403 for a write from a foreign Origin, else None."""
    if scope["type"] != "http":
        return None
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if _name(f"//{host}") not in NAMES:
        return PlainTextResponse(
            f"Host {host[:100]!r} is not this machine: use {' or '.join(NAMES[:2])}\n",
            400,
        )
    if scope["method"] in READS:
        return None
    origin = headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return PlainTextResponse(
            "a page of another origin may not send commands to this host\n", 403
        )
    return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
