"""Owns the reading of an agent card of either protocol version out of its JSON.

The card's fetcher and the bindings' extended cards come through here.
"""

from __future__ import annotations

from a2a.client.card_resolver import parse_agent_card
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import ParseError

from host import protojson


def parse_card(data: bytes) -> pb.AgentCard:
    """The card. Raises ValueError where it is none."""
    body = protojson.loads(data)
    try:
        return parse_agent_card(body)
    except (ParseError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error
