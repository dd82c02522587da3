"""Builds the agent's card and the routes that serve it.

The card tells clients how to reach the agent.
"""

import hashlib
import json
from datetime import datetime, timezone
from email.utils import format_datetime, parsedate_to_datetime
from importlib.metadata import version

from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.constants import (
    AGENT_CARD_WELL_KNOWN_PATH,
    PROTOCOL_VERSION_0_3,
    PROTOCOL_VERSION_1_0,
    TransportProtocol,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import progress, resumable_stream
from .limits import DEFAULT_LIMITS, Limits
from .steps import AgentSpec

# Where clients older than protocol 0.3 look.
OLD_PATH = "/.well-known/agent.json"
# The card changes only with a new version, but followers want to know soon.
CACHE_CONTROL = "public, max-age=60"


def build_card(
    spec: AgentSpec,
    url: str,
    limits: Limits = DEFAULT_LIMITS,
    grpc_address: str | None = None,
) -> AgentCard:
    """Return the card of an agent at `url` (no slash at the end).

    Clients should choose the first interface: protocol 1.0 comes before 0.3.
    """
    http = [(f"{url}/", TransportProtocol.JSONRPC), (url, TransportProtocol.HTTP_JSON)]
    grpc = [(grpc_address, TransportProtocol.GRPC)] if grpc_address else []
    return AgentCard(
        name=spec.title,
        description=spec.description,
        version=version("courtside"),
        supported_interfaces=[
            AgentInterface(url=at, protocol_binding=binding, protocol_version=protocol)
            for protocol, interfaces in (
                (PROTOCOL_VERSION_1_0, http + grpc),
                (PROTOCOL_VERSION_0_3, http),
            )
            for at, binding in interfaces
        ],
        capabilities=AgentCapabilities(
            streaming=True,
            push_notifications=False,
            extensions=[
                progress.build_extension(),
                resumable_stream.build_extension(
                    limits.replay_updates, limits.replay_bytes
                ),
            ],
        ),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain", "application/json"],
        skills=[
            AgentSkill(
                id=skill.id,
                name=skill.name,
                description=skill.description,
                tags=skill.tags,
                examples=skill.examples,
            )
            for skill in spec.skills
        ],
    )


def build_routes(card: AgentCard) -> list[Route]:
    """Return GET and HEAD of the card, with caching headers (A2A 1.0, section 8.6)."""
    body = json.dumps(agent_card_to_dict(card), separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # The card does not change while the agent runs.
    modified_at = datetime.now(timezone.utc).replace(microsecond=0)
    headers = {
        "Cache-Control": CACHE_CONTROL,
        "ETag": etag,
        "Last-Modified": format_datetime(modified_at, usegmt=True),
    }

    async def answer(request: Request) -> Response:
        if _is_cached(request, etag, modified_at):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    return [Route(path, answer) for path in (AGENT_CARD_WELL_KNOWN_PATH, OLD_PATH)]


def _is_cached(request: Request, etag: str, modified_at: datetime) -> bool:
    """Return whether the client has this card. An ETag wins (RFC 9110, 13.2.2)."""
    if tags := request.headers.get("if-none-match"):
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return bool(known & {etag, "*"})
    try:
        date = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return date.tzinfo is not None and modified_at <= date
