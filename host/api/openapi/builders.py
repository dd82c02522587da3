"""Owns the form of an OpenAPI description: operations, parameters, answers.

paths.py and a2a_paths.py are written with it.
"""

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
    """`name` is its operationId. What stands in front of every door is added."""
    told: Json = {"operationId": name, "summary": summary}
    if parameters:
        told["parameters"] = list(parameters)
    if body:
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    told["responses"] = {str(status): answer for status, answer in answers.items()}
    # The guard's: host/api/guard.py.
    told["responses"].setdefault("400", text("The Host header is not this host's."))
    told["responses"].setdefault("401", text("A token is needed."))
    told["responses"].setdefault(
        "403", text("A page of another origin sent it, or the token may only read.")
    )
    told["responses"].setdefault("429", text("Too many wrong tokens: wait."))
    return told


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
    """A parameter that may be repeated."""
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


def answer(says: str, kind: str, schema: Json) -> Json:
    return {"description": says, "content": {kind: {"schema": schema}}}


def json(says: str, schema: Json) -> Json:
    return answer(says, JSON, schema)


def text(says: str, kind: str = TEXT) -> Json:
    return answer(says, kind, {"type": "string"})


def both(says: str) -> Json:
    """A refusal by the guard, in a line of text, or by the door behind it."""
    content = {JSON: {"schema": ref("Error")}, TEXT: {"schema": {"type": "string"}}}
    return {"description": says, "content": content}


def error(says: str) -> Json:
    return json(says, ref("Error"))


def nothing(says: str) -> Json:
    return {"description": says}
