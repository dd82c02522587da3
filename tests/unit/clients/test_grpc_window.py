"""What grpcio receives before the host reads it stays small.

host/clients/bindings/grpc_channel.py, with a real server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import grpc

from host.clients.bindings.grpc_channel import open_channel

MIB = 1024 * 1024
READ = 200  # Messages of 1 MiB, in which the windows could grow.


class FastAgent(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self) -> None:
        self.sent = 0

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._stream)

    async def _stream(self, _request: bytes, _context: object) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * MIB
            self.sent += 1


async def messages_sent(agent: FastAgent) -> int:
    """Return how many the agent has sent, once it cannot send more."""
    while True:
        before = agent.sent
        await anyio.sleep(0.3)
        if agent.sent == before:
            return before


async def test_fast_agent_cannot_send_far_ahead_of_the_host() -> None:
    agent, server = FastAgent(), grpc.aio.server()
    server.add_generic_rpc_handlers((agent,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        with anyio.fail_after(60):
            async with open_channel("127.0.0.1", port, False, ()) as channel:
                call = channel.unary_stream("/any/method")(b"")
                async with aclosing(aiter(call)) as messages:
                    for _ in range(READ):
                        await anext(messages)
                    ahead = await messages_sent(agent) - READ
                call.cancel()
    finally:
        await server.stop(None)

    assert ahead <= 2, f"{ahead} MiB are in memory that the host did not read"
