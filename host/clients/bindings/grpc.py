"""A2A over gRPC, 1.0 and 0.3: the SDK's transports, under the host's limits.

Imported only for an agent that offers gRPC, and only if grpcio is installed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import anyio
import grpc
from a2a.client.client import ClientCallContext
from a2a.client.transports.grpc import GrpcTransport
from a2a.compat.v0_3.grpc_transport import CompatGrpcTransport
from google.protobuf.message import Message

from ...config.address_rules import LOOPBACK
from ...observability import trace
from ...observability.redaction import redact
from ...protocol.a2a_objects import RESUMABLE
from ..address_check import addresses
from .base import Binding
from .grpc_errors import CALL_ERRORS, is_unauthenticated, map_grpc_error, read_refusal
from .http_transport import CALL_S, MAX_BODY
from .operations import Operation
from .response_parsers import message_to_json
from .stream_buffer import ReadAhead, StreamBuffer
from .unreachable_errors import BadResponse, is_cancelled

SECURE = ("https", "grpcs")
SCHEMES = (*SECURE, "http", "grpc")
Result = TypeVar("Result")


class Grpc(Binding):
    async def __aenter__(self) -> Grpc:
        with self._map_errors("gRPC"), anyio.fail_after(CALL_S):
            host, port, is_secure = _target(self._url)
            found = await addresses(host, port, self._http.public_only)
            # A proxy looks up the name itself, and a server on this machine may listen
            # on one of its addresses only.
            is_direct = host not in LOOPBACK and not getproxies()
            pinned = found if self._http.public_only or is_direct else ()
            self._channel = _channel(host, port, is_secure, pinned)
            # The credentials depend on whether the connection is encrypted.
            scheme = "https" if is_secure else "http"
            self._target = f"{scheme}://{_address(host, port)}"
        transport = CompatGrpcTransport if self._is_v03 else GrpcTransport
        self._transport = transport(self._channel, self._card)
        self._ahead = ReadAhead()
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.move_on_after(CALL_S, shield=True):
            await self._channel.close()

    async def reach(self) -> None:
        with self._map_errors("gRPC"), anyio.fail_after(CALL_S):
            state = self._channel.get_state(try_to_connect=True)
            while state is not grpc.ChannelConnectivity.READY:
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                    raise BadResponse("connection refused")
                await self._channel.wait_for_state_change(state)
                state = self._channel.get_state(try_to_connect=True)

    @asynccontextmanager
    async def _fetch(
        self, operation: Operation[Any], request: Message
    ) -> AsyncGenerator[Message]:
        yield await self._call_method(operation, request)

    async def _call_method(
        self, operation: Operation[Any], request: Message
    ) -> Message:
        with anyio.fail_after(operation.deadline_s):
            try:
                return await self._invoke(operation, request)
            except CALL_ERRORS as error:
                if not is_unauthenticated(error):
                    raise
                self._http.credentials.discard_token()
            # As over HTTP after a 401: once more, with a new token.
            return await self._invoke(operation, request)

    async def _invoke(self, operation: Operation[Any], request: Message) -> Message:
        method = getattr(self._transport, operation.sdk_method)
        context = await self._context({})
        try:
            response: Message = await method(request, context=context)
        except asyncio.CancelledError as error:
            # grpcio also raises it if the agent or a closed channel cancels the call.
            # It would end task groups, but no cancel scope.
            if is_cancelled():
                await anyio.sleep_forever()
            raise BadResponse("connection broken: the call was cancelled") from error
        return response

    async def _receive(
        self, operation: Operation[Any], request: Message, headers: dict[str, str]
    ) -> AsyncGenerator[list[Message]]:
        method = getattr(self._transport, operation.sdk_method)

        @asynccontextmanager
        async def open_stream() -> AsyncGenerator[AsyncIterator[Message]]:
            context = await self._context(headers)
            async with aclosing(method(request, context=context)) as responses:
                yield responses

        buffer = StreamBuffer(open_stream, self._size, self._ahead)
        async with aclosing(buffer.batches(self._http.task_group)) as arrived:
            async for responses in arrived:
                yield responses

    async def _context(self, headers: dict[str, str]) -> ClientCallContext:
        parameters = await self._http.credentials.metadata(self._target)
        if self._is_resumable:
            parameters["A2A-Extensions"] = RESUMABLE
        return ClientCallContext(
            service_parameters={**parameters, **trace.trace_headers(), **headers}
        )

    def _read(self, operation: Operation[Result], item: Message) -> Result:
        data = self._http.echoes.redact_small(message_to_json(item))
        return operation.read(data)

    def _size(self, item: Message) -> int:
        return item.ByteSize()

    @contextmanager
    def _map_errors(self, what: str) -> Iterator[None]:
        with super()._map_errors(what):
            try:
                yield
            except CALL_ERRORS as error:
                self._check_throttle(error)
                if is_unauthenticated(error):
                    self._http.credentials.discard_token()
                mapped = map_grpc_error(error)
                if mapped is error:
                    raise
                raise mapped from error
            except grpc.RpcError as error:
                raise BadResponse(
                    f"connection broken: {redact(str(error))[:200]}"
                ) from error

    def _check_throttle(self, error: Exception) -> None:
        """Raise BadResponse if the agent asks for a pause."""
        if refusal := read_refusal(error):
            demand = self._http.throttle.check(
                refusal.status, refusal.headers, refusal.what
            )
            if demand:
                raise BadResponse(demand, refusal.status) from error


def _target(url: str) -> tuple[str, int, bool]:
    """Return host, port and whether to use TLS, for a URL or host:port."""
    parts = urlsplit(url if "://" in url else f"grpc://{url}")
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise BadResponse(
            f"bad URL: {url[:100]}; for gRPC use host:port or an https URL"
        )
    is_secure = parts.scheme in SECURE or ("://" not in url and parts.port == 443)
    return parts.hostname, parts.port or (443 if is_secure else 80), is_secure


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _channel(
    host: str, port: int, is_secure: bool, pinned: Sequence[str]
) -> grpc.aio.Channel:
    """Connect to `pinned` addresses, if any: grpcio would look up the name again."""
    target = _address(host, port)
    options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", MAX_BODY)]
    if pinned:
        options.append(("grpc.default_authority", target))
        options.append(("grpc.ssl_target_name_override", host))
        version = ip_address(pinned[0]).version
        same = [one for one in pinned if ip_address(one).version == version]
        target = f"ipv{version}:{','.join(_address(one, port) for one in same)}"
    if host in LOOPBACK:
        # The proxy of the environment cannot reach this machine.
        options.append(("grpc.enable_http_proxy", 0))
    if is_secure:
        keys = grpc.ssl_channel_credentials()
        return grpc.aio.secure_channel(target, keys, options)
    return grpc.aio.insecure_channel(target, options)
