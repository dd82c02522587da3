"""grpcio reports a call that the agent cancelled as if the host had cancelled it.

Such an agent ends only its calls, and the host can still cancel a waiting call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import grpc
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.types.a2a_pb2_grpc import A2AServiceServicer, add_A2AServiceServicer_to_server

from host.clients.bindings.base import Binding
from host.clients.bindings.http_transport import HttpTransport
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface
from host.clients.credentials import Credentials
from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings
from host.errors import AgentUnreachable


class CancellingAgent(A2AServiceServicer):
    """Cancels calls for the task "cancel", and does not answer others."""

    def __init__(self) -> None:
        self.asked = anyio.Event()

    async def GetTask(
        self, request: pb.GetTaskRequest, context: grpc.aio.ServicerContext
    ) -> pb.Task:
        self.asked.set()
        await self._answer(request.id, context)
        return pb.Task()

    async def SubscribeToTask(
        self, request: pb.SubscribeToTaskRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.StreamResponse]:
        yield pb.StreamResponse(task=pb.Task(id=request.id))
        await self._answer(request.id, context)

    async def _answer(self, task_id: str, context: grpc.aio.ServicerContext) -> None:
        if task_id != "cancel":
            await anyio.sleep_forever()
        await context.abort(grpc.StatusCode.CANCELLED)


@asynccontextmanager
async def cancelling_agent() -> AsyncIterator[tuple[CancellingAgent, Binding]]:
    server, agent = grpc.aio.server(), CancellingAgent()
    add_A2AServiceServicer_to_server(agent, server)  # type: ignore[no-untyped-call]
    url = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with HttpTransport(
            "cancelling_agent", Credentials(AgentSettings(f"http://{url}"))
        ) as transport:
            interface = Interface("GRPC", "1.0", url)
            async with open_binding(
                interface, pb.AgentCard(), transport, RateLimiter()
            ) as binding:
                yield agent, binding
    finally:
        await server.stop(None)


async def test_agent_that_cancels_calls_is_only_unreachable() -> None:
    async with cancelling_agent() as (_, binding), anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        with pytest.raises(AgentUnreachable, match=r"(?i)cancelled"):
            await binding.get_task("cancel")
        with pytest.raises(AgentUnreachable):
            async for _ in binding.subscribe("cancel", None):
                pass
        # A stray CancelledError would have ended the group.
        assert not group.cancel_scope.cancel_called
        group.cancel_scope.cancel()


async def test_cancelled_scope_ends_only_the_call_within_it() -> None:
    async with cancelling_agent() as (agent, binding):
        with anyio.fail_after(30):
            for _ in range(100):
                agent.asked = anyio.Event()
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as group:
                        group.start_soon(binding.get_task, "wait")
                        await agent.asked.wait()
                        scope.cancel()
                assert scope.cancelled_caught
            async with anyio.create_task_group() as group:
                with anyio.CancelScope() as scope:
                    scope.deadline = anyio.current_time() + 0.05
                    await binding.get_task("wait")
                assert scope.cancelled_caught
