"""Owns an agent's card: where it is found, and the interfaces that it offers.

The connection fetches it through the wire and tries its interfaces in their order.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx
from a2a.types import a2a_pb2 as pb

from ..protocol.agent_card import parse_card
from .bindings.agent_http import CALL_S, MIB, Answer, Wire, origin
from .bindings.failure_causes import CARD, BadAnswer
from .bindings.types import Interface

WELL_KNOWN = "/.well-known/agent-card.json"
WELL_KNOWN_03 = "/.well-known/agent.json"
MAX_CARD = MIB
MAX_REDIRECTS = 5


async def fetch(wire: Wire, url: str, explicit: str | None = None) -> pb.AgentCard:
    """The card of the agent at `url`, of either protocol version.

    Looked for at `explicit` (a path or URL), at `url` itself where that is a .json, or
    at both well-known places below it. Raises AgentUnreachable, within 5 s.
    """
    places = _places(url, explicit)
    with wire.explained(CARD, places[0]), anyio.fail_after(CALL_S):
        for place in places:
            answer = await _get(wire, place)
            if answer.status != httpx.codes.NOT_FOUND:
                break
        if answer.status != httpx.codes.OK:
            raise BadAnswer(f"HTTP {answer.status}")
        return await anyio.to_thread.run_sync(parse_card, answer.body)


def interfaces(card: pb.AgentCard) -> list[Interface]:
    """What the card offers, in its own order of preference."""
    offers = [
        Interface(
            offer.protocol_binding.upper(),
            _version(offer.protocol_version),
            offer.url,
            offer.tenant,
        )
        for offer in card.supported_interfaces
    ]
    # Cards of 0.3 name their main interface twice.
    return list(dict.fromkeys(offers))


def _places(url: str, explicit: str | None) -> list[str]:
    if explicit:
        return [str(httpx.URL(url).join(explicit))]
    if urlsplit(url).path.endswith(".json"):
        return [url]
    base = url.rstrip("/")
    return [base + WELL_KNOWN, base + WELL_KNOWN_03]


async def _get(wire: Wire, url: str) -> Answer:
    """Follows redirects, but not to where somebody else may answer."""
    for _ in range(MAX_REDIRECTS + 1):
        request = wire.calls.build_request("GET", url)
        answer = await wire.call(request, max_bytes=MAX_CARD, redirects=True)
        if not httpx.codes.is_redirect(answer.status):
            return answer
        target = request.url.join(answer.headers.get("location", ""))
        if origin(target) != origin(request.url):
            raise BadAnswer(
                f"HTTP {answer.status}: it points to {origin(target)}; set that as the "
                "URL if it is to be trusted"
            )
        url = str(target)
    raise BadAnswer(f"a redirect loop: more than {MAX_REDIRECTS} redirects")


def _version(text: str) -> str:
    """1.0 for 1.0.3, 0.3 for 0.2 and 0.3.0; what cannot be read is left as it is."""
    major, _, minor = text.strip().lstrip("v").partition(".")
    if major in ("", "1"):
        return "1.0"
    return "0.3" if (major, minor[:1]) in (("0", "2"), ("0", "3")) else text
