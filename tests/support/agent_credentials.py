"""Builds credentials for an agent, and cards that require them."""

from __future__ import annotations

from typing import Any

from a2a.types import a2a_pb2 as pb

from host.clients.credentials import Credentials
from host.config.agent_settings import AgentSettings, CredentialSettings

SECRET = "hunter2hunter2"
EVERYTHING: dict[str, Any] = {
    "bearer": SECRET,
    "api_key": SECRET,
    "headers": {"X-Team": f"blue {SECRET}"},
}


def credentials_for(
    url: str, *trusted_hosts: str, card: pb.AgentCard | None = None, **given: Any
) -> Credentials:
    credentials = Credentials(
        AgentSettings(
            url, trusted_hosts=trusted_hosts, credentials=CredentialSettings(**given)
        )
    )
    if card:
        credentials.use_card(card)
    return credentials


def card_requiring(**scheme: Any) -> pb.AgentCard:
    """Return a card that requires one security scheme."""
    return pb.AgentCard(
        security_schemes={"lock": pb.SecurityScheme(**scheme)},
        security_requirements=[
            pb.SecurityRequirement(schemes={"lock": pb.StringList()})
        ],
    )


def card_requiring_key(location: str, name: str) -> pb.AgentCard:
    key = pb.APIKeySecurityScheme(location=location, name=name)
    return card_requiring(api_key_security_scheme=key)
