"""A2A over gRPC, 1.0 and 0.3, under the host's limits.

Imported only for an agent that offers gRPC, and only if grpcio is installed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.request import getproxies

import anyio
import grpc
from google.protobuf.message import Message

from ...config.address_rules import LOOPBACK
from ...observability import trace
from ...observability.redaction import redact
from ...protocol.a2a_objects import RESUMABLE
from ...protocol.json_values import TooManyValues
from ..address_check import addresses
from ..loop_budget import JSON
from .base import Binding
from .grpc_channel import join_address, open_channel, parse_target
from .grpc_errors import map_grpc_error, read_refusal
from .grpc_methods import Method, Response, find_method
from .http_transport import CALL_S, MAX_BODY
from .operations import Operation
from .sse import MAX_EVENT, MIB
from .stream_buffer import ReadAhead, StreamBuffer
from .types import TooLarge
from .unreachable_errors import BadResponse, BodyTooLarge, is_cancelled

Result = TypeVar("Result")


class Grpc(Binding):
    async def __aenter__(self) -> Grpc:
        with self._map_errors("gRPC"), anyio.fail_after(CALL_S):
            host, port, is_secure = parse_target(self._url)
            found = await addresses(host, port, self._http.public_only)
            # A proxy looks up the name itself, and a server on this machine may listen
            # on one of its addresses only.
            is_direct = host not in LOOPBACK and not getproxies()
            pinned = found if self._http.public_only or is_direct else ()
            self._channel = open_channel(host, port, is_secure, pinned)
            # The credentials depend on whether the connection is encrypted.
            scheme = "https" if is_secure else "http"
            self._target = f"{scheme}://{join_address(host, port)}"
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
    ) -> AsyncGenerator[Response]:
        turn = object()
        try:
            with anyio.fail_after(operation.deadline_s) as scope:
                data = await self._call_method(operation, request, turn, scope)
            yield await self._measure(self._method(operation), data)
        finally:
            self._http.large_bodies.drop(turn)

    async def _call_method(
        self,
        operation: Operation[Any],
        request: Message,
        turn: object,
        scope: anyio.CancelScope,
    ) -> bytes:
        try:
            return await self._invoke(operation, request, turn, scope)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
            self._http.credentials.discard_token()
        # As over HTTP after a 401: once more, with a new token.
        return await self._invoke(operation, request, turn, scope)

    async def _invoke(
        self,
        operation: Operation[Any],
        request: Message,
        turn: object,
        scope: anyio.CancelScope,
    ) -> bytes:
        try:
            async with self._open(operation, request, {}) as call:
                await call.initial_metadata()
                if not operation.may_be_many:
                    # grpcio reads a message as a whole, and its size is unknown.
                    await self._http.keep(turn, scope, MAX_BODY)
                data = await call.read()
                if data is grpc.aio.EOF or await call.read() is not grpc.aio.EOF:
                    raise BadResponse("bad response: it is not one message")
        except asyncio.CancelledError as error:
            # grpcio also raises it if the agent or a closed channel cancels the call.
            # It would end task groups, but no cancel scope.
            if is_cancelled():
                await anyio.sleep_forever()
            raise BadResponse("connection broken: the call was cancelled") from error
        await self._http.keep(turn, scope, len(data))
        return bytes(data)

    async def _receive(
        self, operation: Operation[Any], request: Message, headers: dict[str, str]
    ) -> AsyncGenerator[list[Response]]:
        @asynccontextmanager
        async def open_stream() -> AsyncGenerator[AsyncIterator[bytes]]:
            async with self._open(operation, request, headers) as call:
                yield _messages(call)

        method = self._method(operation)
        buffer = StreamBuffer(open_stream, len, self._ahead)
        async with aclosing(buffer.batches(self._http.task_group)) as arrived:
            async for batch in arrived:
                yield [await self._measure(method, data) for data in batch]

    @asynccontextmanager
    async def _open(
        self, operation: Operation[Any], request: Message, headers: dict[str, str]
    ) -> AsyncGenerator[grpc.aio.UnaryStreamCall[bytes, bytes]]:
        """Call a method. Only a stream can be read later: a single response is one."""
        method = self._method(operation)
        call = self._channel.unary_stream(method.path)(
            method.request(request).SerializeToString(),
            metadata=await self._metadata(headers),
        )
        try:
            yield call
        finally:
            call.cancel()

    def _method(self, operation: Operation[Any]) -> Method:
        return find_method(operation, self._is_v03)

    async def _metadata(self, headers: dict[str, str]) -> list[tuple[str, str]]:
        metadata = {"a2a-version": self._version}
        metadata |= await self._http.credentials.metadata(self._target)
        if self._is_resumable:
            metadata["a2a-extensions"] = RESUMABLE
            if self._is_v03:
                metadata["x-a2a-extensions"] = RESUMABLE
        metadata |= trace.trace_headers() | headers
        return [(name.lower(), value) for name, value in metadata.items()]

    async def _measure(self, method: Method, data: bytes) -> Response:
        with self._http.budget.spend(JSON):
            response = method.measure(data)
        if self._http.budget.wait_s:
            await self._http.budget.wait()
        return response

    def _read(self, operation: Operation[Result], item: Response) -> Result:
        try:
            return self._parse(operation, item)
        except TooManyValues as error:
            raise BodyTooLarge(f"too large: {error}") from error

    def _read_streamed(self, operation: Operation[Result], item: Response) -> Result:
        if len(item.data) > MAX_EVENT:
            raise TooLarge(f"an event over {MAX_EVENT // MIB} MiB")
        return self._parse(operation, item)

    def _parse(self, operation: Operation[Result], item: Response) -> Result:
        data = self._method(operation).read_json(item)
        return operation.read(self._http.echoes.redact_small(data))

    def _size(self, item: Response) -> int:
        return item.size

    @contextmanager
    def _map_errors(self, what: str) -> Iterator[None]:
        with super()._map_errors(what):
            try:
                yield
            except grpc.aio.AioRpcError as error:
                self._check_throttle(error)
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    self._http.credentials.discard_token()
                raise map_grpc_error(error) from error
            except grpc.RpcError as error:
                raise BadResponse(
                    f"connection broken: {redact(str(error))[:200]}"
                ) from error

    def _check_throttle(self, error: grpc.aio.AioRpcError) -> None:
        """Raise BadResponse if the agent asks for a pause."""
        refusal = read_refusal(error)
        demand = self._http.throttle.check(
            refusal.status, refusal.headers, refusal.what
        )
        if demand:
            raise BadResponse(demand, refusal.status) from error


async def _messages(
    call: grpc.aio.UnaryStreamCall[bytes, bytes],
) -> AsyncIterator[bytes]:
    while (data := await call.read()) is not grpc.aio.EOF:
        yield bytes(data)
