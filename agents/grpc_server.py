"""Serves the gRPC binding, for an agent that is started with --grpc-port.

app.py runs it beside HTTP. Only this module imports grpcio, which is optional.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import DefaultGrpcServerCallContextBuilder, GrpcHandler
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from a2a.utils.errors import A2AError
from a2a.utils.grpc_status import status_to_grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from .request_handler import RequestHandler
from .resumable_stream import REASON, UpdatesGoneError


@asynccontextmanager
async def serve_grpc(
    handler: RequestHandler, address: str, grace_s: float
) -> AsyncIterator[None]:
    """Serve at `address` (host:port). Raises RuntimeError if it is in use."""
    # Otherwise a second agent could share the port and get half of the calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    service = Service(handler, ContextBuilder())
    add_A2AServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace_s)


class Service(GrpcHandler):
    """The SDK's service, with a status for UpdatesGoneError."""

    async def abort_context(
        self, error: A2AError, context: grpc.aio.ServicerContext
    ) -> None:
        if not isinstance(error, UpdatesGoneError):
            await super().abort_context(error, context)
            return
        code = grpc.StatusCode.OUT_OF_RANGE.value[0]
        status = status_pb2.Status(code=code, message=error.message)
        info = error_details_pb2.ErrorInfo(reason=REASON, domain="a2a-protocol.org")
        status.details.add().Pack(info)
        answer = status_to_grpc(status)
        context.set_trailing_metadata(answer.trailing_metadata)
        await context.abort(answer.code, answer.details)


class ContextBuilder(DefaultGrpcServerCallContextBuilder):
    """Passes a call's metadata on as headers, among them Last-Event-ID."""

    def build(self, context: grpc.aio.ServicerContext) -> ServerCallContext:
        call = super().build(context)
        call.state["headers"] = dict(context.invocation_metadata() or ())
        return call
