"""Maps gRPC's status codes to A2A's errors, where the SDK does not."""

from __future__ import annotations

import grpc
from a2a.client.errors import A2AClientError, A2AClientTimeoutError
from a2a.utils.errors import MethodNotFoundError, TaskNotFoundError
from a2a.utils.grpc_status import status_from_call
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from .a2a_errors import UpdatesGone
from .error_mapping import BadResponse, NonstandardError

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


def map_grpc_error(error: A2AClientError) -> Exception:
    """Return the A2AError or BadResponse for an error that the SDK did not map."""
    call = error.__cause__
    if isinstance(error, A2AClientTimeoutError):
        return BadResponse(TIMEOUT)
    if not isinstance(call, grpc.aio.AioRpcError):
        return NonstandardError(str(error))
    code, details = call.code(), (call.details() or "")[:200]
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return MethodNotFoundError(details)
    if code is grpc.StatusCode.NOT_FOUND:
        return TaskNotFoundError(details)
    if code is grpc.StatusCode.OUT_OF_RANGE:
        return UpdatesGone(details, _metadata(call))
    if code is grpc.StatusCode.UNAVAILABLE:
        for text, cause in UNAVAILABLE.items():
            if text in (call.details() or ""):
                return BadResponse(cause)
    return BadResponse(f"connection broken: gRPC {code.name}: {details}")


def is_unauthenticated(error: A2AClientError) -> bool:
    call = error.__cause__
    return (
        isinstance(call, grpc.aio.AioRpcError)
        and call.code() is grpc.StatusCode.UNAUTHENTICATED
    )


def _metadata(call: grpc.aio.AioRpcError) -> dict[str, str] | None:
    try:
        status = status_from_call(call)
    except ValueError:
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return dict(info.metadata)
    return None
