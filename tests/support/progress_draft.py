"""The JSON schema of the task-progress extension, draft v1.

From A2A pull request #1448, section 8.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "maxLength": 512}
NUMBER = {"type": "number"}
DRAFT: dict[str, Any] = {
    "type": "object",
    "required": ["trackers"],
    "additionalProperties": False,
    "properties": {
        "trackers": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["id"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string", "minLength": 1, "maxLength": 128},
                    "progress": NUMBER,
                    "total": NUMBER,
                    "message": TEXT,
                    "status": {"enum": ["running", "completed", "failed"]},
                    "startedAt": {"type": "string", "format": "date-time"},
                    "updatedAt": {"type": "string", "format": "date-time"},
                },
            },
        },
        "aggregate": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"progress": NUMBER, "total": NUMBER, "message": TEXT},
        },
    },
}
