"""Owns what gRPC's status codes mean for A2A, where the SDK leaves it open.

The gRPC binding raises what is made here.
"""

from __future__ import annotations

import grpc
from a2a.client.errors import A2AClientError, A2AClientTimeoutError
from a2a.utils.errors import MethodNotFoundError, TaskNotFoundError
from a2a.utils.grpc_status import status_from_call
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from .a2a_errors import UpdatesGone
from .failure_causes import BadAnswer, Unnamed

# What grpc's own library writes, and a person would say.
UNAVAILABLE = {
    "Connection refused": "refused: nothing listens there",
    "DNS resolution failed": "DNS: there is no such host",
    "Domain name not found": "DNS: there is no such host",
    "handshake": "TLS: no secure connection",
    "SSL": "TLS: no secure connection",
    "Timeout": "timeout: no answer in time",
    "timed out": "timeout: no answer in time",
}


def meant(error: A2AClientError) -> Exception:
    """The refusal or the BadAnswer behind what the SDK could not name."""
    call = error.__cause__
    if not isinstance(call, grpc.aio.AioRpcError):
        timed_out = isinstance(error, A2AClientTimeoutError)
        return (
            BadAnswer("timeout: no answer in time")
            if timed_out
            else Unnamed(str(error))
        )
    code, details = call.code(), (call.details() or "")[:200]
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return MethodNotFoundError(details)
    if code is grpc.StatusCode.NOT_FOUND:
        return TaskNotFoundError(details)
    if code is grpc.StatusCode.OUT_OF_RANGE:
        return UpdatesGone(details, _metadata(call))
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return BadAnswer("timeout: no answer in time")
    if code is grpc.StatusCode.UNAVAILABLE:
        for said, words in UNAVAILABLE.items():
            if said in (call.details() or ""):
                return BadAnswer(words)
    return BadAnswer(f"broken: gRPC {code.name}: {details}")


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
