"""Owns the reading of an agent card of either protocol version out of its JSON.

The card's fetcher and the bindings' extended cards come through here.
"""

from __future__ import annotations

from typing import Any

from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import ParseDict, ParseError

from . import lenient_json

OLD = {"security", "supportsAuthenticatedExtendedCard"}


def parse_card(data: bytes) -> pb.AgentCard:
    """The card. Raises ValueError where it is none."""
    body = lenient_json.decode(data)
    try:
        if not _is_of_1_0(body):
            # The SDK's client is half of what a host would import at its start.
            from a2a.client.card_resolver import parse_agent_card

            return parse_agent_card(body)
        return ParseDict(body, pb.AgentCard(), ignore_unknown_fields=True)
    except (ParseError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _is_of_1_0(body: dict[str, Any]) -> bool:
    """Whether nothing in the card, which may speak both, is said in 0.3 alone."""
    schemes = body.get("securitySchemes") or {}
    return (
        "supportedInterfaces" in body
        and not OLD & body.keys()
        and not any("type" in scheme for scheme in schemes.values())
        and not any(OLD & skill.keys() for skill in body.get("skills") or [])
    )
