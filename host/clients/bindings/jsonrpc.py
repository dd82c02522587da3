"""Owns A2A over JSON-RPC (section 9): calls out, results as they came back in.

The connection speaks it through the Binding contract; a2a reads the results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict
from msgspec import UNSET, Raw, Struct, UnsetType

from ...protocol import lenient_json
from ...protocol.a2a_parser import parse_list, parse_response
from ...protocol.agent_card import parse_card
from .a2a_errors import from_jsonrpc
from .agent_http import CALL_S, Answer
from .failure_causes import BadAnswer, Unnamed
from .http_binding import (
    CANCEL_S,
    DENIED,
    SEND_S,
    HttpBinding,
    answer_update,
    list_params,
    task_update,
)
from .sse import Frame, too_large
from .types import Batch, Page, Query, Update


class _Envelope(Struct, gc=False):
    """A JSON-RPC response, whose parts are read elsewhere."""

    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


_envelopes = msgspec.json.Decoder(_Envelope)


class JsonRpc(HttpBinding):
    """See types.Binding."""

    # What A2A 1.0's operations are called where they have other names.
    names: ClassVar[Mapping[str, str]] = {}

    def send(
        self, request: pb.SendMessageRequest, *, streaming: bool
    ) -> AsyncGenerator[Batch]:
        asked = pb.SendMessageRequest()
        asked.CopyFrom(request)
        asked.tenant = self._tenant
        if streaming:
            operation = "SendStreamingMessage"
            return self._stream(
                operation, lambda: self._rpc(operation, self._message(asked))
            )
        asked.configuration.return_immediately = True
        return self._send_once(asked)

    async def _send_once(self, asked: pb.SendMessageRequest) -> AsyncGenerator[Batch]:
        with self._wire.explained("SendMessage", self._url):
            result = await self._call("SendMessage", self._message(asked), SEND_S)
            yield Batch([await self._aside(self._answer, result)])

    def subscribe(self, task_id: str, after: int | None) -> AsyncGenerator[Batch]:
        operation = "SubscribeToTask"
        headers = {} if after is None else {"last-event-id": str(after)}
        return self._stream(
            operation, lambda: self._rpc(operation, self._of(task_id), headers)
        )

    async def get_task(self, task_id: str) -> Update:
        with self._wire.explained("GetTask", self._url):
            result = await self._call("GetTask", self._of(task_id))
            return await self._aside(self._task, result)

    async def list_tasks(self, query: Query) -> Page:
        with self._wire.explained("ListTasks", self._url):
            params = self._of(None) | list_params(query)
            result = await self._call("ListTasks", params)
            return Page(*await self._aside(parse_list, result))

    async def cancel(self, task_id: str) -> Update:
        with self._wire.explained("CancelTask", self._url):
            result = await self._call("CancelTask", self._of(task_id), CANCEL_S)
            return await self._aside(self._task, result)

    async def extended_card(self) -> pb.AgentCard:
        with self._wire.explained("GetExtendedAgentCard", self._url):
            params = self._of(None)
            return parse_card(await self._call("GetExtendedAgentCard", params))

    def _message(self, request: pb.SendMessageRequest) -> dict[str, Any]:
        """The params of a message."""
        return MessageToDict(request)

    def _of(self, task_id: str | None) -> dict[str, Any]:
        params = {"tenant": self._tenant, "id": task_id}
        return {name: value for name, value in params.items() if value}

    def _update(self, result: bytes) -> Update:
        """From a result in a stream. Raises ValueError, as the next two."""
        return Update(parse_response(result), result)

    def _answer(self, result: bytes) -> Update:
        """From the result of SendMessage."""
        return answer_update(result)

    def _task(self, result: bytes) -> Update:
        """From a Task."""
        return task_update(result)

    async def _call(
        self, operation: str, params: dict[str, Any], deadline_s: float = CALL_S
    ) -> bytes:
        """The result's JSON."""
        request = self._rpc(operation, params)
        answer = await self._wire.call(request, deadline_s=deadline_s)
        if not httpx.codes.is_success(answer.status):
            raise self._refused(answer)
        return await self._aside(_result, answer.body)

    def _rpc(
        self,
        operation: str,
        params: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> httpx.Request:
        call = {
            "jsonrpc": "2.0",
            "id": str(uuid4()),
            "method": self.names.get(operation, operation),
            "params": params,
        }
        return self._request("POST", self._url, msgspec.json.encode(call), headers)

    def _read(self, frame: Frame) -> Update:
        if frame.data is None:
            raise too_large()
        if not frame.is_error:
            return self._update(_result(frame.data))
        with suppress(ValueError):
            _result(frame.data)
        raise Unnamed(frame.data.decode(errors="replace")[:200])

    def _refused(self, answer: Answer) -> Exception:
        said = f"HTTP {answer.status}"
        try:
            _result(answer.body)
        except A2AError as error:
            # A2A has no code for "who are you?": then the status says more.
            if not isinstance(error, Unnamed) and answer.status not in DENIED:
                return error
            said = f"{said}: {error}"
        except ValueError:
            pass
        return BadAnswer(said)


def _result(data: bytes) -> bytes:
    """The JSON of the result, cut out of the response.

    Raises the A2AError that it may hold instead, and ValueError for neither.
    """
    try:
        envelope = _envelopes.decode(data)
        result, error = envelope.result, envelope.error
        if result is not UNSET and error is UNSET:
            cut = bytes(result)
            if cut.isascii() or cut.decode():
                return cut
    except (ValueError, RecursionError):
        pass
    body = lenient_json.decode(data)
    if body.get("error") is not None:
        raise from_jsonrpc(body["error"])
    if body.get("result") is None:
        raise ValueError(f"no JSON-RPC response, but an object of {sorted(body)[:8]}")
    return msgspec.json.encode(body["result"])
