"""Owns A2A 0.3 over JSON-RPC: 1.0's calls under their old names, results translated.

v03 translates what comes back; the request goes through the SDK's own conversion.
"""

from __future__ import annotations

from typing import Any

import msgspec
from a2a.compat.v0_3 import conversions
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, MethodNotFoundError

from ...protocol import v03_to_v10
from ...protocol.a2a_parser import parse_response
from .agent_http import Wire
from .jsonrpc import JsonRpc
from .types import Admission, Interface, Page, Query, Update


class JsonRpc03(JsonRpc):
    """See types.Binding."""

    names = {  # noqa: RUF012 - a ClassVar of JsonRpc
        "SendMessage": "message/send",
        "SendStreamingMessage": "message/stream",
        "GetTask": "tasks/get",
        "CancelTask": "tasks/cancel",
        "SubscribeToTask": "tasks/resubscribe",
        "GetExtendedAgentCard": "agent/getAuthenticatedExtendedCard",
    }

    def __init__(
        self, interface: Interface, card: pb.AgentCard, wire: Wire, budget: Admission
    ) -> None:
        super().__init__(interface, card, wire, budget)
        if asked := self._headers.get("a2a-extensions"):
            self._headers["x-a2a-extensions"] = asked

    async def list_tasks(self, query: Query) -> Page:
        raise MethodNotFoundError("A2A 0.3 has no ListTasks over JSON-RPC")

    def _message(self, request: pb.SendMessageRequest) -> dict[str, Any]:
        try:
            old = conversions.to_compat_send_message_request(request, request_id=0)
        except ValueError as error:
            raise InvalidParamsError(f"A2A 0.3 cannot carry it: {error}") from error
        return old.params.model_dump(by_alias=True, exclude_none=True, mode="json")

    def _of(self, task_id: str | None) -> dict[str, Any]:
        return {"id": task_id} if task_id else {}

    def _update(self, result: bytes) -> Update:
        body = msgspec.json.decode(result)
        if not isinstance(body, dict):
            raise ValueError(f"an object was expected, not {type(body).__name__}")
        raw = msgspec.json.encode(v03_to_v10.convert_result(body))
        return Update(parse_response(raw), raw)

    def _answer(self, result: bytes) -> Update:
        return self._update(result)

    def _task(self, result: bytes) -> Update:
        update = self._update(result)
        if not update.response.task:
            raise ValueError("a Task was expected")
        return update
