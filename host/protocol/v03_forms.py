"""Reads forms of A2A 0.3 in responses of 1.0: half-migrated agents mix them.

`lenient_json` reads the names of states and roles of both versions.
"""

from __future__ import annotations

from typing import Any

from .v03_to_v10 import convert_file, infer_kind

Json = dict[str, Any]

# The fields of a StreamResponse, and the kinds of 0.3 that they replace.
FIELDS = {
    "task": "task",
    "message": "message",
    "status-update": "statusUpdate",
    "artifact-update": "artifactUpdate",
}
NAMES = {*FIELDS.values(), "status_update", "artifact_update"}


def wrap_update(body: Json) -> Json:
    """Return a StreamResponse for an update that is bare, or has the wrapper and more.

    Changes `body`.
    """
    convert_parts(body)
    wrapped = {name: body[name] for name in NAMES if isinstance(body.get(name), dict)}
    if len(wrapped) == 1:
        return wrapped
    kind = body.get("kind")
    known = kind if isinstance(kind, str) and kind in FIELDS else infer_kind(body)
    return {FIELDS[known]: body} if known else body


def convert_parts(body: Json) -> Json:
    """Convert the parts of 0.3 anywhere in `body`, and return it."""
    for key, value in body.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and key not in ("metadata", "data"):
                if key == "parts":
                    _convert_file(item)
                else:
                    convert_parts(item)
    return body


def _convert_file(part: Json) -> None:
    file = part.get("file")
    if isinstance(file, dict):
        del part["file"]
        part.update(convert_file(file))
