"""Owns the gRPC binding, for an agent that is started with --grpc-port.

serve.py runs it beside HTTP; every call goes on to handler.py. Only here is grpcio
imported, which nobody else needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import grpc_handler
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server

from agents.handler import Handler
from agents.resume import UpdatesGone


@asynccontextmanager
async def serving(
    handler: Handler, address: str, grace_s: float
) -> AsyncIterator[None]:
    """Serves at `address` (host:port) meanwhile. Raises RuntimeError if it is taken."""
    grpc_handler._ERROR_CODE_MAP[UpdatesGone] = grpc.StatusCode.OUT_OF_RANGE
    # Otherwise a second agent could share the port, and each would get half the calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    calls = grpc_handler.GrpcHandler(handler, CallContextBuilder())
    add_A2AServiceServicer_to_server(calls, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace_s)


class CallContextBuilder(grpc_handler.DefaultGrpcServerCallContextBuilder):
    """Gives the handler a call's metadata as it gets headers: last-event-id is one."""

    def build(self, context: grpc.aio.ServicerContext) -> ServerCallContext:
        call = super().build(context)
        metadata = context.invocation_metadata() or ()
        call.state["headers"] = dict(metadata)
        return call
