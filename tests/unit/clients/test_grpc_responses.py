"""Large and unusual responses over gRPC delay no other agent.

host/clients/bindings/grpc.py, with a real server that answers with exact bytes.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import grpc
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.bindings.base import Binding
from host.clients.bindings.grpc_methods import Method, Response
from host.clients.bindings.http_transport import HttpTransport
from host.clients.bindings.selection import open_binding
from host.clients.bindings.sse import MAX_EVENT
from host.clients.bindings.types import Batch, Interface, TaskTooLarge
from host.clients.bindings.update_decoder import LARGE
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from host.protocol.json_values import MAX_VALUES
from tests.support.binding_server import connect_to
from tests.support.waiting import wait_until


def task(text: str = "", messages: int = 0) -> pb.Task:
    part = pb.Part(text=text)
    return pb.Task(
        id="t1",
        context_id="c1",
        status=pb.TaskStatus(state=pb.TASK_STATE_WORKING),
        artifacts=[pb.Artifact(artifact_id="a1", parts=[part])],
        history=[pb.Message(message_id="m1", role=pb.ROLE_AGENT)] * messages,
    )


class RawAgent(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Sends `streamed` in each stream and `task` for GetTask, except of "silent"."""

    def __init__(self) -> None:
        self.streamed: list[bytes] = []
        self.task = b""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method.endswith("/GetTask"):
            return grpc.unary_unary_rpc_method_handler(
                self._get_task, pb.GetTaskRequest.FromString
            )
        return grpc.unary_stream_rpc_method_handler(self._stream)

    async def _get_task(
        self, request: pb.GetTaskRequest, context: grpc.aio.ServicerContext
    ) -> bytes:
        await context.send_initial_metadata(())
        if request.id == "silent":
            await anyio.sleep_forever()
        return self.task

    async def _stream(self, _request: bytes, _context: object) -> AsyncIterator[bytes]:
        for data in self.streamed:
            yield data


@asynccontextmanager
async def opened(agent: RawAgent) -> AsyncIterator[tuple[Binding, HttpTransport]]:
    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((agent,))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        with anyio.fail_after(30):
            async with connect_to(f"http://{address}") as transport:
                interface = Interface("GRPC", "1.0", address)
                card, limiter = pb.AgentCard(), RateLimiter()
                async with open_binding(interface, card, transport, limiter) as binding:
                    yield binding, transport
    finally:
        await server.stop(None)


async def read_stream(agent: RawAgent) -> list[Batch]:
    async with opened(agent) as (binding, _):
        return [batch async for batch in binding.subscribe("t1", None)]


def streamed(*tasks: pb.Task) -> RawAgent:
    agent = RawAgent()
    agent.streamed = [pb.StreamResponse(task=one).SerializeToString() for one in tasks]
    return agent


@pytest.mark.parametrize(
    ("sent", "in_thread"),
    [
        (task("x"), False),
        (task("x" * (LARGE + 1)), True),
        (task(messages=2_000), True),  # Small, but it takes long to read.
    ],
)
async def test_message_that_takes_long_is_parsed_in_a_thread(
    sent: pb.Task, in_thread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    parse = Method.read_json

    def note_thread(method: Method, response: Response) -> bytes:
        threads.append(threading.get_ident())
        return parse(method, response)

    monkeypatch.setattr(Method, "read_json", note_thread)
    agent = streamed(sent)
    agent.task = sent.SerializeToString()
    async with opened(agent) as (binding, _):
        batches = [batch async for batch in binding.subscribe("t1", None)]
        update = await binding.get_task("t1")

    assert batches[0].updates[0].response.task == update.response.task
    loop_thread = threading.get_ident()
    assert [thread != loop_thread for thread in threads] == [in_thread, in_thread]


async def test_event_over_the_limit_is_a_gap_and_the_stream_goes_on() -> None:
    batches = await read_stream(
        streamed(task("x" * MAX_EVENT), task("y" * (MAX_EVENT // 2)))
    )

    assert sum(batch.left_out for batch in batches) == 1
    assert "an event over 4 MiB" in str([batch.why for batch in batches])
    assert sum(len(batch.updates) for batch in batches) == 1


async def test_message_of_very_many_values_is_a_gap_and_is_not_parsed() -> None:
    batches = await read_stream(streamed(task(messages=MAX_VALUES), task()))

    assert sum(batch.left_out for batch in batches) == 1
    assert f"over {MAX_VALUES} values" in str([batch.why for batch in batches])
    assert sum(len(batch.updates) for batch in batches) == 1


async def test_message_that_is_no_protobuf_is_a_gap() -> None:
    agent = streamed(task())
    agent.streamed.insert(0, b"\xff" * 20)

    batches = await read_stream(agent)

    assert [batch.left_out for batch in batches if batch.left_out] == [1]
    assert sum(len(batch.updates) for batch in batches) == 1


async def test_task_of_very_many_values_is_too_large() -> None:
    agent = RawAgent()
    agent.task = task(messages=MAX_VALUES).SerializeToString()
    async with opened(agent) as (binding, _):
        with pytest.raises(TaskTooLarge, match="over 100000 values"):
            await binding.get_task("t1")


async def test_task_that_is_no_protobuf_is_a_bad_response() -> None:
    agent = RawAgent()
    agent.task = b"\xff" * 20
    async with opened(agent) as (binding, _):
        with pytest.raises(AgentUnreachable, match="bad response"):
            await binding.get_task("t1")


async def test_responses_of_one_agent_take_turns() -> None:
    agent = RawAgent()
    agent.task = task("x" * LARGE).SerializeToString()
    async with (
        opened(agent) as (binding, transport),
        anyio.create_task_group() as group,
    ):
        results: list[str] = []

        async def get() -> None:
            update = await binding.get_task("t1")
            assert update.response.task
            results.append(update.response.task.id)

        first = anyio.CancelScope()

        async def get_silent() -> None:
            with first:
                await binding.get_task("silent")

        group.start_soon(get_silent)
        await wait_until(lambda: len(transport.large_bodies) == 1, "the turn")
        group.start_soon(get)
        await wait_until(lambda: len(transport.large_bodies) == 2, "a wait")
        assert not results
        first.cancel()
        await wait_until(lambda: results == ["t1"], "the task")
