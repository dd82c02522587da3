"""Maps the errors of gRPC calls: to errors of A2A, plain causes, and pauses."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import grpc
from a2a.utils.errors import (
    A2A_REASON_TO_ERROR,
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    MethodNotFoundError,
    TaskNotFoundError,
)
from a2a.utils.grpc_status import status_from_call
from a2a.utils.proto_utils import bad_request_to_validation_errors
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from ...observability.redaction import redact
from ..throttle import TOO_MANY_REQUESTS
from .json_errors import UpdatesGone
from .unreachable_errors import BadResponse, BodyTooLarge

NO_HOST = "DNS: no such host"
NO_TLS = "TLS: no secure connection"
TIMEOUT = "timeout: no response in time"
# Parts of grpcio's own texts.
UNAVAILABLE = {
    "Connection refused": "connection refused",
    "DNS resolution failed": NO_HOST,
    "Domain name not found": NO_HOST,
    "handshake": NO_TLS,
    "SSL": NO_TLS,
    "Timeout": TIMEOUT,
    "timed out": TIMEOUT,
}
OVERSIZED = "larger than max"  # RESOURCE_EXHAUSTED means this, too.
HTTP_STATUS = re.compile(r"Received http2 header with status: (\d{3})")
SERVICE_UNAVAILABLE = 503
DOMAIN = "a2a-protocol.org"
ERRORS_V03 = {error.__name__: error for error in JSON_RPC_ERROR_CODE_MAP}


def map_grpc_error(call: grpc.aio.AioRpcError) -> Exception:
    """Return the A2AError or BadResponse for a call that failed."""
    if call.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return BadResponse(TIMEOUT)
    if error := _read_a2a_error(call):
        return error
    code, details = call.code(), redact(call.details() or "")[:200]
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return MethodNotFoundError(details)
    if code is grpc.StatusCode.NOT_FOUND:
        return TaskNotFoundError(details)
    if code is grpc.StatusCode.OUT_OF_RANGE:
        info = _find_detail(call, error_details_pb2.ErrorInfo())
        return UpdatesGone(details, dict(info.metadata) if info else None)
    if code is grpc.StatusCode.UNAVAILABLE:
        for text, cause in UNAVAILABLE.items():
            if text in (call.details() or ""):
                return BadResponse(cause)
    if _is_oversized(call):
        return BodyTooLarge(f"too large: {details}")
    return BadResponse(f"connection broken: gRPC {code.name}: {details}")


def _read_a2a_error(call: grpc.aio.AioRpcError) -> A2AError | None:
    """Return the error that the details of 1.0 name, or the text of 0.3."""
    details = call.details() or ""
    info = _find_detail(call, error_details_pb2.ErrorInfo())
    if info and info.domain == DOMAIN and info.reason in A2A_REASON_TO_ERROR:
        data = None
        if bad := _find_detail(call, error_details_pb2.BadRequest()):
            data = {"errors": bad_request_to_validation_errors(bad)}
        return A2A_REASON_TO_ERROR[info.reason](details, data=data)
    name, _, message = details.partition(": ")
    error = ERRORS_V03.get(name) if message else None
    return error(message) if error else None


class Refusal(NamedTuple):
    """A failed call, as HTTP would have it."""

    what: str
    status: int
    headers: dict[str, str]


def read_refusal(call: grpc.aio.AioRpcError) -> Refusal:
    """Return the call that failed.

    `retry-after` is set if the agent names a pause in any of the ways of gRPC.
    """
    status, code = SERVICE_UNAVAILABLE, call.code()
    http_status = HTTP_STATUS.search(call.details() or "")
    if http_status:
        status = int(http_status[1])  # From a proxy in front of the agent.
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and not _is_oversized(call):
        status = TOO_MANY_REQUESTS
    retry_after = _find_retry_after(call)
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Refusal(f"gRPC {code.name}", status, headers)


def _find_retry_after(call: grpc.aio.AioRpcError) -> str | None:
    """Return the pause that the agent asks for, in the form of Retry-After."""
    if info := _find_detail(call, error_details_pb2.RetryInfo()):
        return str(info.retry_delay.ToTimedelta().total_seconds())
    metadata = {
        key: value
        for part in (call.initial_metadata(), call.trailing_metadata())
        for key, value in part or ()
        if isinstance(value, str)
    }
    pushback_ms = metadata.get("grpc-retry-pushback-ms", "")
    if pushback_ms.isdecimal():  # A negative number forbids retries without a time.
        return str(int(pushback_ms) / 1000)
    return metadata.get("retry-after")


def _is_oversized(call: grpc.aio.AioRpcError) -> bool:
    is_exhausted = call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return is_exhausted and OVERSIZED in (call.details() or "")


def _find_detail(call: grpc.aio.AioRpcError, into: Any) -> Any:
    """Return the detail of the error that has the type of `into`, or None."""
    try:
        status = status_from_call(call)
        for detail in status.details if status else ():
            if detail.Is(into.DESCRIPTOR) and detail.Unpack(into):
                return into
    except (ValueError, DecodeError):
        pass
    return None
