"""The table of A2A operations: their names, routes and types in every protocol.

The bindings interpret it. A2A 1.0, sections 9 to 11, and 0.3, section 3.5.6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from a2a.types import a2a_pb2 as pb
from google.protobuf.message import Message

from ...protocol.agent_card import parse_card
from .http_transport import CALL_S, RESPONSE_S
from .response_parsers import read_page, read_send_response, read_task, read_update
from .types import Page, Update

LIST_S = 30.0  # An agent with a large store may be slow.
CANCEL_S = 10.0  # Some agents answer when the work has really stopped.

Result = TypeVar("Result")


class Route(NamedTuple):
    """An endpoint of HTTP+JSON."""

    method: str
    path: str
    has_body: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[Result]):
    name: str
    """The method in JSON-RPC 1.0, and the name in error texts."""
    name_v03: str | None
    """The method in JSON-RPC 0.3. None: 0.3 does not have the operation."""
    route: Route
    """Of HTTP+JSON 1.0; in 0.3 below /v1, and the same unless `path_v03` is set."""
    path_v03: str | None = None
    request: type[Message]
    read: Callable[[bytes], Result]
    """Parses a response in the JSON of 1.0. Raises ValueError."""
    deadline_s: float = CALL_S
    rpc_v03: str = ""
    """The method in gRPC 0.3, if it is not `name`. In 1.0 it is."""
    may_be_many: bool = False
    """Whether many long calls may run at once."""


SEND_MESSAGE = Operation[Update](
    name="SendMessage",
    name_v03="message/send",
    route=Route("POST", "/message:send", has_body=True),
    request=pb.SendMessageRequest,
    read=read_send_response,
    deadline_s=RESPONSE_S,
    may_be_many=True,
)
SEND_STREAMING_MESSAGE = Operation[Update](
    name="SendStreamingMessage",
    name_v03="message/stream",
    route=Route("POST", "/message:stream", has_body=True),
    request=pb.SendMessageRequest,
    read=read_update,
)
SUBSCRIBE_TO_TASK = Operation[Update](
    name="SubscribeToTask",
    name_v03="tasks/resubscribe",
    rpc_v03="TaskSubscription",
    route=Route("POST", "/tasks/{id}:subscribe"),
    request=pb.SubscribeToTaskRequest,
    read=read_update,
)
# The specification has GET, its own SDKs send POST, and agents accept one or both.
SUBSCRIBE_BY_GET = replace(
    SUBSCRIBE_TO_TASK, route=SUBSCRIBE_TO_TASK.route._replace(method="GET")
)
GET_TASK = Operation[Update](
    name="GetTask",
    name_v03="tasks/get",
    route=Route("GET", "/tasks/{id}"),
    request=pb.GetTaskRequest,
    read=read_task,
)
LIST_TASKS = Operation[Page](
    name="ListTasks",
    name_v03=None,
    route=Route("GET", "/tasks"),
    request=pb.ListTasksRequest,
    read=read_page,
    deadline_s=LIST_S,
)
CANCEL_TASK = Operation[Update](
    name="CancelTask",
    name_v03="tasks/cancel",
    route=Route("POST", "/tasks/{id}:cancel", has_body=True),
    request=pb.CancelTaskRequest,
    read=read_task,
    deadline_s=CANCEL_S,
    may_be_many=True,
)
GET_EXTENDED_CARD = Operation[pb.AgentCard](
    name="GetExtendedAgentCard",
    name_v03="agent/getAuthenticatedExtendedCard",
    rpc_v03="GetAgentCard",
    route=Route("GET", "/extendedAgentCard"),
    path_v03="/card",
    request=pb.GetExtendedAgentCardRequest,
    read=parse_card,
)
