"""Functions that build OpenAPI operations, parameters, responses and schemas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
Answer = tuple[str, Json]
"""A status, and the description of its response."""
Operation = tuple[str, str, Json]
"""A path, a method, and their description."""

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
EVENTS, LINES = "text/event-stream; charset=utf-8", "application/x-ndjson"
HTML, FORM = "text/html; charset=utf-8", "application/x-www-form-urlencoded"
STRING: Json = {"type": "string"}
OBJECT: Json = {"type": "object"}
CURSOR = "([0-9a-z]{1,32}-)?[0-9]{1,18}"


def object_with(properties: Json, *optional: str, **more: Any) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def array(items: Json, **more: Any) -> Json:
    return {"type": "array", "items": items, **more}


def integer(minimum: int, maximum: int) -> Json:
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def pattern(regex: str) -> Json:
    return {"type": "string", "pattern": f"^{regex}$"}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def parameter(place: str, name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": place, "description": description, "schema": schema}


def query(name: str, description: str, schema: Json = STRING) -> Json:
    return parameter("query", name, description, schema)


def header(name: str, description: str, schema: Json) -> Json:
    return parameter("header", name, description, schema)


def many(name: str, description: str, schema: Json = STRING) -> Json:
    """Build a repeatable parameter."""
    return query(name, description, array(schema))


def content(schemas: Json) -> Json:
    return {"content": {kind: {"schema": one} for kind, one in schemas.items()}}


def answer(
    status: int | str, description: str, schemas: Json, headers: Json | None = None
) -> Answer:
    """Build a response. `schemas` has the schema of each content type."""
    fields = {"description": description, **content(schemas)}
    return str(status), fields | ({"headers": headers} if headers else {})


def json(status: int | str, description: str, schema: Json = OBJECT) -> Answer:
    return answer(status, description, {JSON: schema})


def text(
    status: int, description: str, kind: str = TEXT, headers: Json | None = None
) -> Answer:
    return answer(status, description, {kind: STRING}, headers)


def nothing(status: int, description: str) -> Answer:
    return str(status), {"description": description}


def error(status: int | str, description: str) -> Answer:
    return json(status, description, ref("Error"))


def both(status: int, description: str) -> Answer:
    """Build an error response: text from the guard, or JSON from the endpoint."""
    return answer(status, description, {JSON: ref("Error"), TEXT: STRING})


# From host/api/guard.py.
GUARD_ERRORS = (
    text(400, "The Host header does not name this host."),
    text(401, "A token is required."),
    text(403, "A page of another origin sent it, or the token is read-only."),
    text(429, "Too many wrong tokens: wait."),
)
BODY_ERRORS = (
    error(413, "The body is too large."),
    error(415, "The body is not declared as JSON."),
)
NAME: Json = {"type": "string", "minLength": 1}
PATH_PARAMETERS = {
    one["name"]: {**one, "required": True}
    for one in (
        parameter("path", "agent", "A followed agent; below /a2a also `host`.", NAME),
        parameter("path", "task_id", "The task id of the agent.", NAME),
        parameter("path", "event_id", "The event's id.", pattern(CURSOR)),
        parameter("path", "file", "The path of the file.", NAME),
    )
}


def operation(
    route: str,
    name: str,
    summary: str,
    *answers: Answer,
    parameters: Sequence[Json] = (),
    body: Json | None = None,
) -> Operation:
    """Build the operation of a route such as "GET /agents". `name` is its operationId.

    `body` has a schema for each content type. Adds the parameters of the path, and the
    errors of the guard and of the body.
    """
    method, path = route.split(" ")
    in_path = [PATH_PARAMETERS[one] for one in re.findall(r"{(\w+)}", path)]
    errors = (*GUARD_ERRORS, *(BODY_ERRORS if body and JSON in body else ()))
    description: Json = {
        "operationId": name,
        "summary": summary,
        "parameters": [*in_path, *parameters],
        "responses": dict((*errors, *answers)),
    }
    if body:
        description["requestBody"] = {"required": True, **content(body)}
    return path, method.lower(), description
