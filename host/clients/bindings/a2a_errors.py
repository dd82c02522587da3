"""Owns the agents' refusals: what each binding writes on the wire, as A2A's errors.

The bindings raise what is made here; followers and the gateway tell them apart.
"""

from __future__ import annotations

from typing import Any

import msgspec
from a2a.utils.errors import (
    A2A_REASON_TO_ERROR,
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    MethodNotFoundError,
)

from .failure_causes import BadAnswer, Unnamed

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
UPDATES_GONE_CODE = -31410
NOT_THERE = (404, 405, 501)
MAX_MESSAGE = 500


class UpdatesGone(A2AError):
    """What followed the number is not kept. docs/resumable-stream.md, section 4.

    `data` has what the agent does have: `oldest` and `newest`, as text.
    """

    message = "What followed is not kept"


BY_REASON: dict[str, type[A2AError]] = {
    **A2A_REASON_TO_ERROR,
    "UPDATES_GONE": UpdatesGone,
}
BY_CODE: dict[int, type[A2AError]] = {
    **{code: kind for kind, code in JSON_RPC_ERROR_CODE_MAP.items()},
    UPDATES_GONE_CODE: UpdatesGone,
}
# An error's `type`: the SDK's name for it in 0.3, the end of a URL in 1.0's drafts.
BY_TYPE = {kind.__name__: kind for kind in BY_CODE.values()} | {
    reason.lower().replace("_", "-"): kind for reason, kind in BY_REASON.items()
}


def from_jsonrpc(error: object) -> A2AError:
    """The `error` of a JSON-RPC response. Unnamed where A2A has no such code."""
    if not isinstance(error, dict):
        return Unnamed(f"an error that is no object: {str(error)[:MAX_MESSAGE]}")
    code, message = error.get("code"), _message(error)
    reason, data = _info(error.get("data"))
    kind = BY_CODE.get(code) if isinstance(code, int) else None
    kind = kind or BY_REASON.get(reason)
    if kind is None:
        return Unnamed(f"JSON-RPC error {code}: {message}")
    return kind(message, data)


def from_http(status: int, body: bytes) -> Exception:
    """A response of HTTP+JSON that is not 2xx: A2AError or BadAnswer."""
    refusal = from_status(body)
    if refusal is not None:
        return refusal
    if status in NOT_THERE:
        return MethodNotFoundError(f"HTTP {status}")
    return BadAnswer(f"HTTP {status}")


def from_status(body: bytes) -> A2AError | None:
    """The google.rpc.Status, or problem details of RFC 9457, in a body, if A2A's."""
    try:
        payload = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, dict):
        return None
    error = payload.get("error")
    if not isinstance(error, dict):
        error = payload
    reason, data = _info(error.get("details"))
    kind = BY_REASON.get(reason) or BY_TYPE.get(
        str(error.get("type")).rpartition("/")[2]
    )
    if kind is None and isinstance(error.get("code"), int):
        kind = BY_CODE.get(error["code"])
    return kind(_message(error), data) if kind else None


def _message(error: dict[str, Any]) -> str:
    said = error.get("message") or error.get("detail") or error.get("title")
    return str(said or "no reason given")[:MAX_MESSAGE]


def _info(details: object) -> tuple[str, dict[str, Any] | None]:
    """The reason and the metadata of the first ErrorInfo."""
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict) and detail.get("@type") == ERROR_INFO:
            reason, metadata = detail.get("reason"), detail.get("metadata")
            return str(reason), metadata if isinstance(metadata, dict) else None
    return "", None
