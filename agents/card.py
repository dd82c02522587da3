"""Owns the agent's card: what it says, where it lies, how long it may be kept.

serve.py mounts the routes; clients read here how to reach handler.py.
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

from agents import progress, resume
from agents.limits import DEFAULT_LIMITS, Limits
from agents.steps import Character

# Where clients older than protocol 0.3 look.
OLD_PATH = "/.well-known/agent.json"
# A card only changes with a new version, but whoever follows it wants to know soon.
CACHE_CONTROL = "public, max-age=60"


def build_card(
    character: Character,
    url: str,
    limits: Limits = DEFAULT_LIMITS,
    grpc_address: str | None = None,
) -> AgentCard:
    """The card of `character`, served at `url` (no slash at the end).

    What is listed first is what clients should choose: protocol 1.0 before 0.3.
    """
    http = ((f"{url}/", TransportProtocol.JSONRPC), (url, TransportProtocol.HTTP_JSON))
    grpc = ((grpc_address, TransportProtocol.GRPC),) if grpc_address else ()
    bindings = [
        *((*binding, PROTOCOL_VERSION_1_0) for binding in (*http, *grpc)),
        *((*binding, PROTOCOL_VERSION_0_3) for binding in http),
    ]
    return AgentCard(
        name=character.title,
        description=character.description,
        version=version("courtside"),
        supported_interfaces=[
            AgentInterface(url=at, protocol_binding=binding, protocol_version=protocol)
            for at, binding, protocol in bindings
        ],
        capabilities=AgentCapabilities(
            streaming=True,
            push_notifications=False,
            extensions=[
                progress.extension(),
                resume.extension(limits.tape_updates, limits.tape_bytes),
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
            for skill in character.skills
        ],
    )


def routes(card: AgentCard) -> list[Route]:
    """GET and HEAD of the card, with what a cache needs. A2A 1.0, section 8.6."""
    body = json.dumps(agent_card_to_dict(card), separators=(",", ":"))
    content = body.encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # The card is made when the agent starts, and stays.
    made_at = datetime.now(timezone.utc).replace(microsecond=0)
    headers = {
        "Cache-Control": CACHE_CONTROL,
        "ETag": etag,
        "Last-Modified": format_datetime(made_at, usegmt=True),
    }

    async def answer(request: Request) -> Response:
        if _has_it(request, etag, made_at):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type="application/json")

    return [Route(path, answer) for path in (AGENT_CARD_WELL_KNOWN_PATH, OLD_PATH)]


def _has_it(request: Request, etag: str, made_at: datetime) -> bool:
    """Whether the client's copy is good. RFC 9110 13.2.2: an ETag before a date."""
    if tags := request.headers.get("if-none-match"):
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return bool(known & {etag, "*"})
    try:
        date = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return date.tzinfo is not None and made_at <= date
