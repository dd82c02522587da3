"""Parses the errors of JSON-RPC and HTTP+JSON into the SDK's A2AError."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from a2a.utils.errors import (
    A2A_REASON_TO_ERROR,
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    MethodNotFoundError,
)

from ...protocol.json_values import check_count
from .unreachable_errors import AgentError, BadResponse

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
UPDATES_GONE_CODE = -31410
UNSUPPORTED = (404, 405, 501)
MAX_MESSAGE = 500


class UpdatesGone(A2AError):
    """The agent no longer has the updates after the requested number.

    `data` has the numbers of its updates: `oldest` and `newest`, as text. See
    docs/resumable-stream.md, section 4.
    """

    message = "The updates are no longer available"


BY_REASON: dict[str, type[A2AError]] = {
    **A2A_REASON_TO_ERROR,
    "UPDATES_GONE": UpdatesGone,
}
BY_CODE: dict[int, type[A2AError]] = {
    **{code: kind for kind, code in JSON_RPC_ERROR_CODE_MAP.items()},
    UPDATES_GONE_CODE: UpdatesGone,
}
# The `type` of an error: a class of the SDK in 0.3, the end of a URL in 1.0's drafts.
BY_TYPE = {kind.__name__: kind for kind in BY_CODE.values()} | {
    reason.lower().replace("_", "-"): kind for reason, kind in BY_REASON.items()
}


def from_jsonrpc(error: object) -> A2AError:
    """Read the `error` of a JSON-RPC response."""
    if not isinstance(error, dict):
        return AgentError(f"an error that is not an object: {str(error)[:MAX_MESSAGE]}")
    code, message = _code(error), _message(error)
    reason, data = _info(error.get("data"))
    kind = BY_CODE.get(code) if isinstance(code, int) else None
    kind = kind or BY_REASON.get(reason)
    if kind is None:
        return AgentError(f"JSON-RPC error {code}: {message}")
    return kind(message, data)


def from_http(status: int, body: bytes) -> Exception:
    """Return the A2AError or BadResponse for a status other than 2xx."""
    error = from_status(body)
    if error is not None:
        return error
    if status in UNSUPPORTED:
        return MethodNotFoundError(f"HTTP {status}")
    return BadResponse(f"HTTP {status}", status)


def from_status(body: bytes) -> A2AError | None:
    """Read a google.rpc.Status, or RFC 9457 problem details, if it is A2A's."""
    try:
        check_count(body)
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
    code = _code(error)
    if kind is None and isinstance(code, int):
        kind = BY_CODE.get(code)
    return kind(_message(error), data) if kind else None


def error_in(data: bytes) -> AgentError | None:
    """Return the error in an object that has one, and nothing else that A2A knows."""
    try:
        check_count(data)
        body = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    if not error:
        return None
    text = _message(error) if isinstance(error, dict) else str(error)[:MAX_MESSAGE]
    return AgentError(text)


def _code(error: dict[str, Any]) -> object:
    """Return the code, which some agents write as text."""
    code = error.get("code")
    if isinstance(code, str) and re.fullmatch(r"-?\d{1,9}", code):
        return int(code)
    return code


def _message(error: dict[str, Any]) -> str:
    text = error.get("message") or error.get("detail") or error.get("title")
    return str(text or "no reason given")[:MAX_MESSAGE]


def _info(details: object) -> tuple[str, dict[str, Any] | None]:
    """Return the reason and the metadata of the first ErrorInfo."""
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict) and detail.get("@type") == ERROR_INFO:
            reason, metadata = detail.get("reason"), detail.get("metadata")
            return str(reason), metadata if isinstance(metadata, dict) else None
    return "", None
