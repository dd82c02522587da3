"""Recognizes frames that are no updates: pings, heartbeats, end marks, notifications.

A2A has none of them, but many agents and proxies send them.
"""

from __future__ import annotations

import json
from typing import Any

from .sse import Frame

# Event types, texts, and values or names in JSON, in lower case.
WORDS = {
    "ping",
    "pong",
    "heartbeat",
    "heart-beat",
    "keepalive",
    "keep-alive",
    "noop",
    "null",
    "ok",
    "ready",
    "open",
    "connected",
    "done",
    "[done]",
    "close",
    "closed",
    "end",
    "eof",
    "complete",
    "finish",
}
MAX_BYTES = 4096  # Anything larger is meant to be read.
ENVELOPE = ("jsonrpc", "id", "error")
# An object with one of these objects is meant to be an update, but is broken.
PARTS_OF_UPDATES = (
    "task",
    "message",
    "statusUpdate",
    "artifactUpdate",
    "status_update",
    "artifact_update",
    "status",
    "artifact",
)


def is_heartbeat(frame: Frame) -> bool:
    """Return whether a frame that is no update is not meant to be one."""
    if frame.data is None or len(frame.data) > MAX_BYTES:
        return False
    text = frame.data.decode(errors="replace").strip()
    has_type = frame.kind.decode(errors="replace").strip().lower() in WORDS
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return has_type or not text or text.lower() in WORDS
    return not _is_broken_update(value) and (has_type or _is_empty(value))


def _is_broken_update(value: Any) -> bool:
    body = value.get("result", value) if isinstance(value, dict) else None
    return isinstance(body, dict) and any(
        isinstance(body.get(name), dict) for name in PARTS_OF_UPDATES
    )


def _is_empty(value: Any) -> bool:
    if not isinstance(value, dict):
        return not value or str(value).lower() in WORDS
    if "result" in value:
        # A result of null or {}, whatever the envelope is.
        return not value.get("error") and not value["result"]
    if "method" in value:
        return True  # A JSON-RPC notification.
    content = {k: v for k, v in value.items() if k not in ENVELOPE}
    if value.get("error") or len(content) > 2:
        return False
    return any(str(word).lower() in WORDS for pair in content.items() for word in pair)
