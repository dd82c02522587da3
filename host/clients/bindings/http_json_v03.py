"""Owns A2A 0.3 over HTTP+JSON: other paths, and bodies in the form of another proto.

sdk reads the bodies; the rest is as in 1.0.
"""

from __future__ import annotations

from typing import Any

from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3.proto_utils import ToProto
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, MethodNotFoundError
from google.protobuf.json_format import MessageToDict

from .agent_http import Wire
from .http_json import Rest
from .sdk_messages import read_old, update_of_old
from .types import Admission, Interface, Page, Query, Update


class Rest03(Rest):
    """See types.Binding."""

    _version = "/v1"
    _card = "/card"

    def __init__(
        self, interface: Interface, card: pb.AgentCard, wire: Wire, budget: Admission
    ) -> None:
        # Some cards give the URL with the version, some without.
        bare = interface._replace(
            url=interface.url.rstrip("/").removesuffix(self._version), tenant=""
        )
        super().__init__(bare, card, wire, budget)
        if asked := self._headers.get("a2a-extensions"):
            self._headers["x-a2a-extensions"] = asked

    async def list_tasks(self, query: Query) -> Page:
        raise MethodNotFoundError("A2A 0.3 has no ListTasks over HTTP+JSON")

    def _message(self, request: pb.SendMessageRequest) -> dict[str, Any]:
        try:
            asked = conversions.to_compat_send_message_request(request, request_id=0)
        except ValueError as error:
            raise InvalidParamsError(f"A2A 0.3 cannot carry it: {error}") from error
        params = asked.params
        return MessageToDict(
            old.SendMessageRequest(
                request=ToProto.message(params.message),
                configuration=ToProto.message_send_configuration(params.configuration),
                metadata=ToProto.metadata(params.metadata),
            )
        )

    def _update(self, body: bytes) -> Update:
        response = old.StreamResponse()
        read_old(body, response)
        return update_of_old(response)

    def _answer(self, body: bytes) -> Update:
        answer = old.SendMessageResponse()
        read_old(body, answer)
        if not answer.WhichOneof("payload"):
            return self._task(body)
        whole = {
            answer.WhichOneof("payload"): getattr(answer, answer.WhichOneof("payload"))
        }
        return update_of_old(old.StreamResponse(**whole))

    def _task(self, body: bytes) -> Update:
        task = old.Task()
        read_old(body, task)
        return update_of_old(old.StreamResponse(task=task))
