"""Owns A2A over gRPC, 1.0 and 0.3: the SDK's transports under the host's limits.

The connection speaks it through the Binding contract. Imported only where an agent
offers gRPC and grpcio is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, contextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import grpc
from a2a.client.client import ClientCallContext
from a2a.client.errors import A2AClientError
from a2a.client.transports.grpc import GrpcTransport
from a2a.compat.v0_3.grpc_transport import CompatGrpcTransport
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError, MethodNotFoundError
from google.protobuf import json_format

from ...config.address_rules import LOOPBACK
from ...observability import trace
from ...protocol.a2a_objects import RESUMABLE
from ...protocol.a2a_parser import parse_list
from ..http_client import addresses
from .agent_http import CALL_S, MAX_BODY, Wire
from .decoder import Intake
from .failure_causes import BadAnswer, is_cancelled
from .grpc_errors import meant
from .http_binding import CANCEL_S, SEND_S
from .read_ahead import Ahead
from .sdk_messages import update_of
from .types import Admission, Batch, Interface, Page, Query, Update

SECURE = ("https", "grpcs")
SCHEMES = (*SECURE, "http", "grpc")
Result = TypeVar("Result")
Call = Callable[[ClientCallContext], Awaitable[Result]]
Source = Callable[[ClientCallContext], AsyncGenerator[pb.StreamResponse]]


class Grpc:
    """See types.Binding."""

    def __init__(
        self, interface: Interface, card: pb.AgentCard, wire: Wire, budget: Admission
    ) -> None:
        self._interface = interface
        self._url = interface.url
        self._tenant = interface.tenant
        self._card = card
        self._wire = wire
        self._intake = Intake(budget)
        declared = [extension.uri for extension in card.capabilities.extensions]
        self._asks = {"A2A-Extensions": RESUMABLE} if RESUMABLE in declared else {}

    async def __aenter__(self) -> Grpc:
        with self._wire.explained("gRPC", self._url), anyio.fail_after(CALL_S):
            host, port, secure = _target(self._url)
            found = await addresses(host, port, self._wire.public_only)
            pinned = found if self._wire.public_only else ()
            self._channel = _channel(host, port, secure, pinned)
            # The credentials tell from it whether anybody else could read along.
            self._target = f"{'https' if secure else 'http'}://{_joined(host, port)}"
        is_old = self._interface.version == "0.3"
        transport = CompatGrpcTransport if is_old else GrpcTransport
        self._transport = transport(self._channel, self._card)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        with anyio.move_on_after(CALL_S, shield=True):
            await self._channel.close()

    async def reach(self) -> None:
        with self._wire.explained("gRPC", self._url), anyio.fail_after(CALL_S):
            state = self._channel.get_state(try_to_connect=True)
            while state is not grpc.ChannelConnectivity.READY:
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                    raise BadAnswer("refused: no connection")
                await self._channel.wait_for_state_change(state)
                state = self._channel.get_state(try_to_connect=True)

    def send(
        self, request: pb.SendMessageRequest, *, streaming: bool
    ) -> AsyncGenerator[Batch]:
        asked = pb.SendMessageRequest()
        asked.CopyFrom(request)
        asked.tenant = self._tenant
        if not streaming:
            asked.configuration.return_immediately = True
            return self._send_once(asked)
        return self._stream(
            "SendStreamingMessage",
            lambda context: self._transport.send_message_streaming(
                asked, context=context
            ),
        )

    async def _send_once(self, asked: pb.SendMessageRequest) -> AsyncGenerator[Batch]:
        answer = await self._call(
            "SendMessage",
            lambda context: self._transport.send_message(asked, context=context),
            SEND_S,
        )
        with self._explained("SendMessage"):
            if answer.HasField("task"):
                response = pb.StreamResponse(task=answer.task)
            else:
                response = pb.StreamResponse(message=answer.message)
            yield Batch([await self._update(response)])

    def subscribe(self, task_id: str, after: int | None) -> AsyncGenerator[Batch]:
        return self._stream(
            "SubscribeToTask",
            lambda context: self._transport.subscribe(
                pb.SubscribeToTaskRequest(id=task_id, tenant=self._tenant),
                context=context,
            ),
            {} if after is None else {"last-event-id": str(after)},
        )

    async def get_task(self, task_id: str) -> Update:
        task = await self._call(
            "GetTask",
            lambda context: self._transport.get_task(
                pb.GetTaskRequest(id=task_id, tenant=self._tenant), context=context
            ),
        )
        with self._explained("GetTask"):
            return await self._update(pb.StreamResponse(task=task))

    async def list_tasks(self, query: Query) -> Page:
        with self._explained("ListTasks"):
            request = _list_request(query, self._tenant)
        listed = await self._call(
            "ListTasks",
            lambda context: self._transport.list_tasks(request, context=context),
        )
        with self._explained("ListTasks"):
            return await self._intake.aside(lambda: _page(listed), listed.ByteSize())

    async def cancel(self, task_id: str) -> Update:
        task = await self._call(
            "CancelTask",
            lambda context: self._transport.cancel_task(
                pb.CancelTaskRequest(id=task_id, tenant=self._tenant), context=context
            ),
            CANCEL_S,
        )
        with self._explained("CancelTask"):
            return await self._update(pb.StreamResponse(task=task))

    async def extended_card(self) -> pb.AgentCard:
        request = pb.GetExtendedAgentCardRequest(tenant=self._tenant)
        return await self._call(
            "GetExtendedAgentCard",
            lambda context: self._transport.get_extended_agent_card(
                request, context=context
            ),
        )

    async def _update(self, response: pb.StreamResponse) -> Update:
        size = response.ByteSize()
        return await self._intake.aside(lambda: update_of(response), size)

    async def _call(
        self, what: str, call: Call[Result], deadline_s: float = CALL_S
    ) -> Result:
        with self._explained(what), anyio.fail_after(deadline_s):
            try:
                return await _result(call(await self._context()))
            except A2AClientError as error:
                if not _is_unauthenticated(error):
                    raise
            # As httpx does after a 401: once more, with another token.
            return await _result(call(await self._context()))

    async def _stream(
        self, what: str, source: Source, asks: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Batch]:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[AsyncIterator[pb.StreamResponse]]:
            context = await self._context(asks)
            async with aclosing(source(context)) as responses:
                yield responses

        with self._explained(what):
            async with aclosing(Ahead(opened).lists(self._wire.tasks)) as arrived:
                async for batch in self._intake.batches(
                    arrived, update_of, pb.StreamResponse.ByteSize
                ):
                    yield batch

    async def _context(
        self, asks: Mapping[str, str] | None = None
    ) -> ClientCallContext:
        shown = await self._wire.credentials.metadata(self._target)
        parameters = {**shown, **self._asks, **trace.headers(), **(asks or {})}
        return ClientCallContext(service_parameters=parameters)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        with self._wire.explained(what, self._url):
            try:
                yield
            except NotImplementedError as error:
                raise MethodNotFoundError(str(error)) from error
            except A2AClientError as error:
                if _is_unauthenticated(error):
                    self._wire.credentials.renew()
                raise meant(error) from error
            except grpc.RpcError as error:
                raise BadAnswer(f"broken: {str(error)[:200]}") from error


async def _result(call: Awaitable[Result]) -> Result:
    """Of a call that grpcio cannot take for the host's own cancellation.

    It raises a CancelledError of its own, which ends no scope but tasks and their
    groups, also where the agent or a closed channel cancelled the call.
    """
    try:
        return await call
    except asyncio.CancelledError as error:
        if is_cancelled():
            await anyio.sleep_forever()
        raise BadAnswer("broken: the call was cancelled") from error


def _is_unauthenticated(error: A2AError) -> bool:
    cause = error.__cause__
    return (
        isinstance(cause, grpc.aio.AioRpcError)
        and cause.code() is grpc.StatusCode.UNAUTHENTICATED
    )


def _target(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether it is TLS, of a URL or of host:port."""
    parts = urlsplit(url if "://" in url else f"grpc://{url}")
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise BadAnswer(f"bad URL: {url[:100]}; for gRPC use host:port or an https URL")
    secure = parts.scheme in SECURE or ("://" not in url and parts.port == 443)
    return parts.hostname, parts.port or (443 if secure else 80), secure


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _channel(
    host: str, port: int, secure: bool, pinned: Sequence[str]
) -> grpc.aio.Channel:
    """To those addresses, where there are some: grpcio would look the name up again."""
    target = _joined(host, port)
    options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", MAX_BODY)]
    if pinned:
        options.append(("grpc.default_authority", target))
        options.append(("grpc.ssl_target_name_override", host))
        version = ip_address(pinned[0]).version
        same = [one for one in pinned if ip_address(one).version == version]
        target = f"ipv{version}:{','.join(_joined(one, port) for one in same)}"
    if host in LOOPBACK:
        # A proxy that the environment names does not stand before this machine.
        options.append(("grpc.enable_http_proxy", 0))
    if secure:
        keys = grpc.ssl_channel_credentials()
        return grpc.aio.secure_channel(target, keys, options)
    return grpc.aio.insecure_channel(target, options)


def _list_request(query: Query, tenant: str) -> pb.ListTasksRequest:
    request = pb.ListTasksRequest(
        tenant=tenant,
        page_size=query.page_size,
        page_token=query.page_token,
        history_length=0,
    )
    if query.status:
        json_format.ParseDict({"status": query.status}, request)
    if query.since:
        request.status_timestamp_after.FromJsonString(query.since)
    return request


def _page(listed: pb.ListTasksResponse) -> Page:
    return Page(*parse_list(json_format.MessageToJson(listed).encode()))
