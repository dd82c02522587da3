"""Builds the card that the host shows for an agent, with the host's URLs."""

from __future__ import annotations

from typing import Any

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import MessageToDict

from ..protocol.a2a_objects import RESUMABLE

BINDINGS = ("JSONRPC", "HTTP+JSON")
EXTENSION_DESCRIPTION = (
    "Each streamed update carries its number in the task; SubscribeToTask with "
    "Last-Event-ID replays what followed it, for as long as the host keeps it."
)
REQUIRED_FIELDS: dict[str, Any] = {
    "description": "",
    "version": "",
    "defaultInputModes": [],
    "defaultOutputModes": [],
    "skills": [],
}


def build_card(card: pb.AgentCard, url: str, *, locked: bool) -> bytes:
    """Return the card's JSON, with interfaces at `url`.

    With `locked` the card asks for the host's token. The card leaves out the agent's
    own security (the host has the credentials) and its signatures (of another card).
    """
    ours = pb.AgentCard()
    ours.CopyFrom(card)
    for field in ("security_schemes", "security_requirements", "signatures"):
        ours.ClearField(field)
    for skill in ours.skills:
        skill.ClearField("security_requirements")
    if locked:
        ours.security_schemes["token"].http_auth_security_scheme.scheme = "Bearer"
        ours.security_requirements.add().schemes["token"].SetInParent()
    del ours.supported_interfaces[:]
    for binding in BINDINGS:
        ours.supported_interfaces.add(
            url=url, protocol_binding=binding, protocol_version="1.0"
        )
    capabilities = ours.capabilities
    capabilities.streaming = True
    capabilities.push_notifications = capabilities.extended_agent_card = False
    others = [one for one in capabilities.extensions if one.uri != RESUMABLE]
    del capabilities.extensions[:]
    capabilities.extensions.extend(others)
    capabilities.extensions.add(uri=RESUMABLE, description=EXTENSION_DESCRIPTION)
    fields = MessageToDict(ours)
    # A2A requires these fields, but protobuf's JSON leaves out empty ones.
    for name, empty in REQUIRED_FIELDS.items():
        fields.setdefault(name, empty)
    return msgspec.json.encode(fields)
