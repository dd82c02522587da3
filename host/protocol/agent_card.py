"""Parses agent cards of A2A 1.0 and 0.3, also extended cards."""

from __future__ import annotations

from typing import Any

from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError

from . import lenient_json

V03_FIELDS = {"security", "supportsAuthenticatedExtendedCard"}


def parse_card(data: bytes) -> pb.AgentCard:
    """Return the card. Raises ValueError if the JSON is no card."""
    body = lenient_json.decode(data)
    try:
        if not _is_v10(body):
            # Imported late: the SDK's client would double the host's start-up imports.
            from a2a.client.card_resolver import parse_agent_card

            card = parse_agent_card(body)
        else:
            card = ParseDict(body, pb.AgentCard(), ignore_unknown_fields=True)
        # protobuf parses deeper messages than it can copy.
        pb.AgentCard().MergeFrom(card)
        return card
    except (
        ParseError,
        DecodeError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ValueError(str(error)) from error


def _is_v10(body: dict[str, Any]) -> bool:
    """Return whether the card, which may be both, has nothing that only 0.3 has."""
    schemes = body.get("securitySchemes") or {}
    return (
        "supportedInterfaces" in body
        and not V03_FIELDS & body.keys()
        and not any("type" in scheme for scheme in schemes.values())
        and not any(V03_FIELDS & skill.keys() for skill in body.get("skills") or [])
    )
