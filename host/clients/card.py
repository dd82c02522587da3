"""Fetches an agent's card, and lists the interfaces that it offers."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx
from a2a.types import a2a_pb2 as pb

from ..protocol.agent_card import parse_card
from .bindings.http_transport import CALL_S, MIB, HttpResponse, HttpTransport, origin
from .bindings.types import Interface
from .bindings.unreachable_errors import CARD, BadResponse

WELL_KNOWN = "/.well-known/agent-card.json"
WELL_KNOWN_V03 = "/.well-known/agent.json"
MAX_CARD = MIB
MAX_REDIRECTS = 5


async def fetch_card(
    http: HttpTransport, url: str, explicit: str | None = None
) -> pb.AgentCard:
    """Return the card of the agent at `url`, in the form of 1.0.

    Tries `explicit` (a path or URL), or `url` itself if it ends in .json, or both
    well-known paths below it. Raises AgentUnreachable, within 5 s.
    """
    candidates = _candidates(url, explicit)
    with http.map_errors(CARD, candidates[0]), anyio.fail_after(CALL_S):
        for candidate in candidates:
            response = await _get(http, candidate)
            if response.status != httpx.codes.NOT_FOUND:
                break
        if response.status != httpx.codes.OK:
            raise BadResponse(f"HTTP {response.status}")
        return await anyio.to_thread.run_sync(parse_card, response.body)


def list_interfaces(card: pb.AgentCard) -> list[Interface]:
    """Return the card's interfaces, in its order of preference."""
    offers = [
        Interface(
            offer.protocol_binding.upper(),
            _version(offer.protocol_version),
            offer.url,
            offer.tenant,
        )
        for offer in card.supported_interfaces
    ]
    # Cards of 0.3 list their main interface twice.
    return list(dict.fromkeys(offers))


def _candidates(url: str, explicit: str | None) -> list[str]:
    if explicit:
        return [str(httpx.URL(url).join(explicit))]
    if urlsplit(url).path.endswith(".json"):
        return [url]
    base = url.rstrip("/")
    return [base + WELL_KNOWN, base + WELL_KNOWN_V03]


async def _get(http: HttpTransport, url: str) -> HttpResponse:
    """Follow redirects, but only within the origin."""
    for _ in range(MAX_REDIRECTS + 1):
        request = http.call_client.build_request("GET", url)
        call = http.call(request, max_bytes=MAX_CARD, allow_redirect=True)
        async with call as response:
            if not httpx.codes.is_redirect(response.status):
                return response
        target = request.url.join(response.headers.get("location", ""))
        if origin(target) != origin(request.url):
            raise BadResponse(
                f"HTTP {response.status}: it redirects to {origin(target)}; if you "
                "trust that host, set it as the agent's URL"
            )
        url = str(target)
    raise BadResponse(f"a redirect loop: more than {MAX_REDIRECTS} redirects")


def _version(text: str) -> str:
    """Return 1.0 for 1.0.3, 0.3 for 0.2 and 0.3.0, and any other text unchanged."""
    major, _, minor = text.strip().lstrip("v").partition(".")
    if major in ("", "1"):
        return "1.0"
    return "0.3" if (major, minor[:1]) in (("0", "2"), ("0", "3")) else text
