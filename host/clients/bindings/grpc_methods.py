"""The methods of A2A over gRPC, 1.0 and 0.3: their paths and messages.

The host calls them itself: the SDK's client parses each response on the event loop,
whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

from a2a.compat.v0_3 import a2a_v0_3_pb2 as pb_v03
from a2a.compat.v0_3 import conversions, types
from a2a.compat.v0_3.proto_utils import FromProto
from a2a.types import a2a_pb2 as pb
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ...protocol.json_values import MAX_VALUES, TooManyValues
from .grpc_values import count_values
from .operations import Operation
from .response_parsers import as_value_error, message_to_json
from .update_decoder import LARGE
from .v03 import message_request

SERVICE = "A2AService"
# Bytes that take as long to read as a value: 8 µs, and 40 µs in 0.3.
VALUE_COST = 32
VALUE_COST_V03 = 160


class Response(NamedTuple):
    """A response that is not parsed yet."""

    data: bytes
    size: int
    """Its bytes, or more if it takes long to read."""


class Method(NamedTuple):
    path: str
    response: type[Message]
    request: Callable[[Any], Message]
    """Converts a request of 1.0."""
    upgrade: Callable[[Any], Message]
    """Converts a response to 1.0."""
    value_cost: int

    def measure(self, data: bytes) -> Response:
        values = self._count_values(data, LARGE // self.value_cost)
        return Response(data, max(len(data), values * self.value_cost))

    def read_json(self, response: Response) -> bytes:
        """Return a response as JSON of 1.0. Raises ValueError."""
        data = response.data
        # Each value has two bytes or more.
        may_be_many = len(data) > 2 * MAX_VALUES
        if may_be_many and self._count_values(data, MAX_VALUES) > MAX_VALUES:
            raise TooManyValues(f"over {MAX_VALUES} values")
        with as_value_error():
            return message_to_json(self.upgrade(self.response.FromString(data)))

    def _count_values(self, data: bytes, limit: int) -> int:
        return count_values(data, cast(Descriptor, self.response.DESCRIPTOR), limit)


@cache
def find_method(operation: Operation[Any], is_v03: bool) -> Method:
    if is_v03:
        name = operation.rpc_v03 or operation.name
        method = pb_v03.DESCRIPTOR.services_by_name[SERVICE].methods_by_name[name]
        request, upgrade = REQUESTS_V03[name], UPGRADES[method.output_type.name]
        value_cost = VALUE_COST_V03
    else:
        name = operation.name
        method = pb.DESCRIPTOR.services_by_name[SERVICE].methods_by_name[name]
        request = upgrade = _unchanged
        value_cost = VALUE_COST
    response = GetMessageClass(method.output_type)
    return Method(_path(method), response, request, upgrade, value_cost)


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _unchanged(message: Message) -> Message:
    return message


def _task_request(request: pb.GetTaskRequest) -> Message:
    return pb_v03.GetTaskRequest(
        name=f"tasks/{request.id}", history_length=request.history_length
    )


REQUESTS_V03: dict[str, Callable[[Any], Message]] = {
    "SendMessage": message_request,
    "SendStreamingMessage": message_request,
    "TaskSubscription": lambda request: pb_v03.TaskSubscriptionRequest(
        name=f"tasks/{request.id}"
    ),
    "GetTask": _task_request,
    "CancelTask": lambda request: pb_v03.CancelTaskRequest(name=f"tasks/{request.id}"),
    "GetAgentCard": lambda _: pb_v03.GetAgentCardRequest(),
}


def _upgrade_sent(response: pb_v03.SendMessageResponse) -> Message:
    payload = response.WhichOneof("payload")
    if payload == "task":
        return pb.SendMessageResponse(task=_upgrade_task(response.task))
    if payload == "msg":
        message = conversions.to_core_message(FromProto.message(response.msg))
        return pb.SendMessageResponse(message=message)
    return pb.SendMessageResponse()


def _upgrade_update(response: pb_v03.StreamResponse) -> Message:
    result = FromProto.stream_response(response)
    success = types.SendStreamingMessageSuccessResponse(result=result)
    return conversions.to_core_stream_response(success)


def _upgrade_task(task: pb_v03.Task) -> pb.Task:
    return conversions.to_core_task(FromProto.task(task))


def _upgrade_card(card: pb_v03.AgentCard) -> Message:
    return conversions.to_core_agent_card(FromProto.agent_card(card))


UPGRADES: dict[str, Callable[[Any], Message]] = {
    "SendMessageResponse": _upgrade_sent,
    "StreamResponse": _upgrade_update,
    "Task": _upgrade_task,
    "AgentCard": _upgrade_card,
}
