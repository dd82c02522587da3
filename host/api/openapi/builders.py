"""Functions that build OpenAPI operations, parameters and responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
EVENTS, LINES = "text/event-stream; charset=utf-8", "application/x-ndjson"
HTML = "text/html; charset=utf-8"


def operation(
    name: str,
    summary: str,
    *parameters: Json,
    answers: Mapping[int | str, Json],
    body: Json | None = None,
) -> Json:
    """Build an operation. `name` is its operationId. Adds the guard's responses."""
    description: Json = {"operationId": name, "summary": summary}
    if parameters:
        description["parameters"] = list(parameters)
    if body:
        description["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": body}},
        }
    description["responses"] = {
        str(status): answer for status, answer in answers.items()
    }
    # From host/api/guard.py.
    description["responses"].setdefault(
        "400", text("The Host header does not name this host.")
    )
    description["responses"].setdefault("401", text("A token is required."))
    description["responses"].setdefault(
        "403", text("A page of another origin sent it, or the token is read-only.")
    )
    description["responses"].setdefault("429", text("Too many wrong tokens: wait."))
    return description


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def query(name: str, description: str, schema: Json | None = None) -> Json:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": schema or {"type": "string"},
    }


def many(name: str, description: str, schema: Json | None = None) -> Json:
    """Build a repeatable parameter."""
    items = schema or {"type": "string"}
    return query(name, description, {"type": "array", "items": items})


def header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def path(name: str, description: str, schema: Json | None = None) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema or {"type": "string", "minLength": 1},
    }


def answer(description: str, kind: str, schema: Json) -> Json:
    return {"description": description, "content": {kind: {"schema": schema}}}


def json(description: str, schema: Json) -> Json:
    return answer(description, JSON, schema)


def text(description: str, kind: str = TEXT) -> Json:
    return answer(description, kind, {"type": "string"})


def both(description: str) -> Json:
    """Build an error response: text from the guard, or JSON from the endpoint."""
    content = {JSON: {"schema": ref("Error")}, TEXT: {"schema": {"type": "string"}}}
    return {"description": description, "content": content}


def error(description: str) -> Json:
    return json(description, ref("Error"))


def nothing(description: str) -> Json:
    return {"description": description}
