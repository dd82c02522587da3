"""Owns the card that the host shows for an agent: the agent's, with the host's doors.

The gateway's operations serve it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import MessageToDict

from ..protocol.a2a import RESUMABLE

BINDINGS = ("JSONRPC", "HTTP+JSON")
RESUMES = (
    "Each streamed update carries its number in the task; SubscribeToTask with "
    "Last-Event-ID replays what followed it, for as long as the host keeps it."
)

REQUIRED: dict[str, Any] = {
    "description": "",
    "version": "",
    "defaultInputModes": [],
    "defaultOutputModes": [],
    "skills": [],
}


def build_card(card: pb.AgentCard, url: str, *, locked: bool) -> bytes:
    """The card's JSON, with its interfaces at `url`; `locked` where these ask for the
    host's token.

    What the agent asks of its callers is the host's affair; what it signed was another
    card.
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
    capabilities.extensions.add(uri=RESUMABLE, description=RESUMES)
    told = MessageToDict(ours)
    # A2A asks for them, and JSON made of protobuf leaves out a list that is empty.
    empty = {name: value for name, value in REQUIRED.items() if name not in told}
    return msgspec.json.encode(told | empty)
