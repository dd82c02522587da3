"""A2A 1.0 over JSON-RPC (section 9)."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import uuid4

import httpx
import msgspec
from a2a.utils.errors import A2AError
from google.protobuf.message import Message
from msgspec import UNSET, Raw, Struct, UnsetType

from ...protocol import lenient_json
from .http_transport import HttpResponse
from .json_binding import DENIED, NONSTANDARD, JsonBinding
from .json_errors import error_in, from_jsonrpc
from .operations import Operation
from .sse import Frame, is_json, too_large
from .unreachable_errors import AgentError, BadResponse

Result = TypeVar("Result")


class _Envelope(Struct, gc=False):
    """A JSON-RPC response. Its parts stay unparsed."""

    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


_envelopes = msgspec.json.Decoder(_Envelope)


class JsonRpc(JsonBinding):
    def _method(self, operation: Operation[Any]) -> str:
        return operation.name

    def _encode(self, operation: Operation[Any], request: Message) -> httpx.Request:
        call = {
            "jsonrpc": "2.0",
            "id": str(uuid4()),
            "method": self._method(operation),
            "params": self._params(request),
        }
        return self._build_request("POST", self._url, call)

    def _read(self, operation: Operation[Result], item: Frame) -> Result:
        if item.data is None:
            raise too_large()
        try:
            result = _find_result(item.data)
            if result is None:
                result = _extract_leniently(item.data)
                if not is_json(item.data):
                    self._http.lint[NONSTANDARD] = None
        except ValueError:
            if item.is_error:
                raise AgentError(item.data.decode(errors="replace")[:200]) from None
            raise
        try:
            return operation.read(self._upgrade(operation, result))
        except ValueError:
            # Some agents put an error into the result.
            if error := error_in(result):
                raise error from None
            raise

    def _error(self, operation: Operation[Any], response: HttpResponse) -> Exception:
        cause = f"HTTP {response.status}"
        try:
            extract_result(response.body)
        except A2AError as error:
            is_standard = not isinstance(error, AgentError)
            # A2A has no error code for 401 and 403, so report the HTTP status.
            if is_standard and response.status not in DENIED:
                return error
            cause = f"{cause}: {error}"
        except ValueError:
            pass
        return BadResponse(cause, response.status)


def extract_result(data: bytes) -> bytes:
    """Return the JSON of the result in a JSON-RPC response, unparsed.

    Raises the A2AError in the response, or ValueError if there is no result or error.
    """
    return _find_result(data) or _extract_leniently(data)


def _find_result(data: bytes) -> bytes | None:
    try:
        envelope = _envelopes.decode(data)
        result, error = envelope.result, envelope.error
        if result is not UNSET and error is UNSET:
            unparsed = bytes(result)
            if unparsed.isascii() or unparsed.decode():
                return unparsed
    except (ValueError, RecursionError):
        pass
    return None


def _extract_leniently(data: bytes) -> bytes:
    body = lenient_json.decode(data)
    if body.get("error") is not None:
        raise from_jsonrpc(body["error"])
    if body.get("result") is None:
        raise ValueError(f"not a JSON-RPC response: its keys are {sorted(body)[:8]}")
    return msgspec.json.encode(body["result"])
