"""The OpenAPI 3.1 document of the host's HTTP API."""

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
    "code": {"type": "integer", "description": "The HTTP status."},
    "status": {"type": "string"},
    "message": {"type": "string", "description": "What failed, where, and what to do."},
    "details": {"type": "array", "items": {"type": "object"}},
}


def _object(properties: Json, *optional: str, **more: Any) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


SCHEMAS: Json = {
    "Error": _object(
        {"error": _object(_REFUSAL, "details")},
        description="An error in the format of A2A's HTTP+JSON.",
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
                "description": "The connection of each agent, by name.",
                "additionalProperties": {"type": "string"},
            },
        },
        # Without the token, clients only get the status.
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
    """Build the document."""
    _, generated = msgspec.json.schema_components(
        [NewAgent, Reloaded, DebugState], ref_template=PREFIX + "{name}"
    )
    # It is a tuple in Python, and an object in the response.
    generated["Reloaded"] = _object(
        {
            name: {"type": "array", "items": {"type": "string"}}
            for name in Reloaded._fields
        }
    )
    schemas = SCHEMAS | a2a_paths.SCHEMAS | generated | definitions(PREFIX)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Courtside",
            "version": VERSION,
            "description": "The feed of all agents and its history, commands to the "
            "agents over A2A, and the state of the host.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": host_paths.PATHS | a2a_paths.PATHS,
        # A host without a configured token requires none.
        "security": [{}, {"token": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
