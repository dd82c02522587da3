"""Owns the description of the host's HTTP API: OpenAPI 3.1, one document.

Its paths are written by hand; its schemas are made of the types that the host answers
with. tests/integration/test_openapi.py holds every route to it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...following.roster import Reloaded
from ...model.debug_state import DebugState
from ...version import VERSION
from ..agents import NewAgent
from . import a2a_paths, host_paths
from .builders import Json
from .feed_schema import definitions

PREFIX = "#/components/schemas/"
_TEXT: Json = {"type": ["string", "null"]}
_REFUSAL: Json = {
    "code": {"type": "integer", "description": "The HTTP status again."},
    "status": {"type": "string"},
    "message": {"type": "string", "description": "What, where, and what to do."},
    "details": {"type": "array", "items": {"type": "object"}},
}


def _object(properties: Json, *optional: str, **more: Any) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


SCHEMAS: Json = {
    "Error": _object(
        {"error": _object(_REFUSAL, "details")},
        description="A refusal, as A2A's HTTP+JSON has it.",
    ),
    "Health": _object(
        {
            "status": {"enum": ["ok", "failing"]},
            "cause": {**_TEXT, "description": "Why the log cannot be written."},
            "config": {**_TEXT, "description": "What is wrong with courtside.toml."},
            "epoch": {"type": "string"},
            "head": {"type": "integer", "description": "The newest event's id."},
            "agents": {
                "type": "object",
                "description": "Each agent's connection, by its name.",
                "additionalProperties": {"type": "string"},
            },
        },
        # Strangers to a host with a token are told the status alone.
        "cause",
        "config",
        "epoch",
        "head",
        "agents",
    ),
    "Readiness": _object(
        {"status": {"enum": ["ready", "not ready"]}, "cause": _TEXT}, "cause"
    ),
}


def document() -> Json:
    """The whole of it, as JSON."""
    _, made = msgspec.json.schema_components(
        [NewAgent, Reloaded, DebugState], ref_template=PREFIX + "{name}"
    )
    # It is sent as an object of names, not as the tuple that it is here.
    made["Reloaded"] = _object(
        {
            name: {"type": "array", "items": {"type": "string"}}
            for name in Reloaded._fields
        }
    )
    schemas = SCHEMAS | a2a_paths.SCHEMAS | made | definitions(PREFIX)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Courtside",
            "version": VERSION,
            "description": "The feed of all agents, its history, commands down to the "
            "agents over A2A, and windows into the host.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": host_paths.PATHS | a2a_paths.PATHS,
        # Without a token of its own the host asks for none.
        "security": [{}, {"token": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
