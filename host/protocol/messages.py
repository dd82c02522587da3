"""Builds A2A 1.0 messages as JSON."""

from __future__ import annotations

from typing import Any, Literal
from uuid import uuid4

Json = dict[str, Any]


def build_message(
    role: Literal["ROLE_USER", "ROLE_AGENT"],
    text: str,
    *,
    message_id: str | None = None,
    **fields: Any,
) -> Json:
    """Return a message with one text part and a new id, if none is given.

    `fields` are further fields by their JSON name; those without a value are left out.
    """
    message = {
        "messageId": message_id or str(uuid4()),
        "role": role,
        "parts": [{"text": text}],
    }
    return message | {name: value for name, value in fields.items() if value}
