"""Builds the OpenAPI 3.1 document, and serves it and the schema of the feed."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...following.roster import Reloaded
from ...model.debug_state import DebugState
from ...version import VERSION
from ..agents import NewAgent
from ..health import Health, Readiness
from ..responses import Error
from . import a2a_paths, host_paths
from .builders import STRING, Json, array, object_with
from .feed_schema import definitions, schema

PREFIX = "#/components/schemas/"
TYPES = (NewAgent, DebugState, Health, Readiness, Error)


def document() -> Json:
    """Build the document."""
    _, schemas = msgspec.json.schema_components(TYPES, ref_template=PREFIX + "{name}")
    # It is a tuple in Python, and an object in the response.
    names = {name: array(STRING) for name in Reloaded._fields}
    schemas["Reloaded"] = object_with(names)
    schemas |= a2a_paths.SCHEMAS | definitions(PREFIX)
    paths: Json = {}
    for path, method, description in (*host_paths.OPERATIONS, *a2a_paths.OPERATIONS):
        paths.setdefault(path, {})[method] = description
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
        "paths": paths,
        # A host without a configured token requires none.
        "security": [{}, {"token": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def build_routes() -> list[Route]:
    """Serve both documents. They are built once, when the host starts."""
    return [
        _build_route("/openapi.json", document(), "application/json"),
        _build_route("/feed.schema.json", schema(), "application/schema+json"),
    ]


def _build_route(path: str, value: Json, media_type: str) -> Route:
    body = msgspec.json.encode(value)

    async def respond(_: Request) -> Response:
        return Response(body, 200, {"cache-control": "no-cache"}, media_type)

    return Route(path, respond)
