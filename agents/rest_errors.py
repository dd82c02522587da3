"""Builds the error responses that the SDK does not build, in A2A's format for REST."""

from collections.abc import Mapping

from starlette.responses import JSONResponse


def build_error(
    code: int, status: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": status,
        "domain": "courtside",
    }
    error = {"code": code, "status": status, "message": message, "details": [info]}
    return JSONResponse({"error": error}, code, headers=headers)
