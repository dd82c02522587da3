"""Tests the requests that the HTTP bindings send, and the end of a binding.

A server in this process sends the exact bytes of each response.
"""

from __future__ import annotations

import json
from contextlib import aclosing

import anyio
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.bindings.base import Binding
from host.clients.bindings.types import Query
from host.errors import AgentUnreachable
from host.protocol.a2a_objects import RESUMABLE
from tests.support.binding_server import (
    PROTOCOLS,
    SECRET,
    SSE,
    TASK,
    UPDATE,
    create_message,
    event,
    open_agent,
    stream,
)
from tests.support.canned_server import CannedServer, http_response


async def test_reach_accepts_any_response_of_the_agent() -> None:
    moved = b"HTTP/1.1 307 X\r\nLocation: /x/\r\nContent-Length: 0\r\n\r\n"
    for answer in (
        http_response(b"", status=405),
        http_response(b"", status=500),
        moved,
    ):
        async with open_agent(CannedServer(answer)) as binding:
            await binding.reach()
    for status in (401, 403, 502, 503):
        async with open_agent(
            CannedServer(http_response(b"", status=status))
        ) as binding:
            with pytest.raises(AgentUnreachable, match=f"HTTP {status}"):
                await binding.reach()


async def test_subscribe_uses_get_if_the_agent_accepts_only_get() -> None:
    refused = http_response(b"", status=405)
    events = http_response(b"data: " + json.dumps(UPDATE).encode() + b"\n\n", SSE)
    agent = CannedServer(refused, events)
    async with open_agent(agent, "HTTP+JSON") as binding:
        for _ in range(2):
            found = [batch async for batch in binding.subscribe("t/1", None)]
            assert len(found[0].updates) == 1
    asked = [head.partition(" http")[0] for head in agent.heads]
    get = "get /tasks/t%2f1:subscribe"
    assert asked == ["post /tasks/t%2f1:subscribe", get, get]


async def test_subscribe_sends_last_event_id_and_the_extension() -> None:
    extension = pb.AgentExtension(uri=RESUMABLE)
    card = pb.AgentCard(capabilities=pb.AgentCapabilities(extensions=[extension]))
    for binding_name, version in PROTOCOLS:
        agent = CannedServer(stream())
        async with open_agent(agent, binding_name, version, card) as binding:
            assert [batch async for batch in binding.subscribe("t", 7)] == []
        (head,) = agent.heads
        assert "\r\nlast-event-id: 7\r\n" in head
        assert f"\r\na2a-version: {version}\r\n" in head
        assert f"\r\na2a-extensions: {RESUMABLE}\r\n" in head
        assert f"\r\nauthorization: bearer {SECRET}\r\n" in head


async def test_unary_message_requests_an_immediate_return() -> None:
    answer = http_response(json.dumps({"result": {"task": TASK}}).encode())
    agent = CannedServer(answer)
    async with open_agent(agent, tenant="blue") as binding:
        (batch,) = [
            batch async for batch in binding.send(create_message(), streaming=False)
        ]
    assert batch.updates[0].response.task_id == "t"
    params = agent.bodies[0]["params"]
    assert params["configuration"]["returnImmediately"] is True
    assert params["tenant"] == "blue"
    old = http_response(
        b'{"result": {"kind": "task", "id": "t", "status": {"state": "x"}}}'
    )
    agent = CannedServer(old)
    async with open_agent(agent, "JSONRPC", "0.3") as binding:
        (batch,) = [
            batch async for batch in binding.send(create_message(), streaming=False)
        ]
    assert agent.bodies[0]["params"]["configuration"]["blocking"] is False
    assert batch.updates[0].response.task_id == "t"


async def test_list_tasks_requests_no_history_and_reads_pages() -> None:
    page = {"tasks": [{**TASK, "unknown": 1}], "nextPageToken": "more"}
    query = Query("2026-11-22T12:00:00Z", "TASK_STATE_WORKING", 7, "token")
    agent = CannedServer(http_response(json.dumps({"result": page}).encode()))
    async with open_agent(agent) as binding:
        found = await binding.list_tasks(query)
    assert (found.tasks[0].task_id, found.next_token) == ("t", "more")
    assert agent.bodies[0]["params"] == {
        "pageSize": 7,
        "historyLength": 0,
        "statusTimestampAfter": "2026-11-22T12:00:00Z",
        "status": "TASK_STATE_WORKING",
        "pageToken": "token",
    }


@pytest.mark.parametrize("wrapper", [None, "task", "result"])
async def test_wrapped_task_is_read(wrapper: str | None) -> None:
    body = {wrapper: TASK} if wrapper else TASK
    async with open_agent(
        CannedServer(http_response(json.dumps(body).encode())), "HTTP+JSON"
    ) as binding:
        for call in (binding.get_task, binding.cancel):
            update = await call("t")
            assert update.response.task and update.response.task.id == "t"
            assert json.loads(update.raw) == {"task": TASK}


async def test_closing_a_stream_closes_its_connection() -> None:
    agent = CannedServer(stream(event(UPDATE)).replace(b"Content-Length: ", b"X: "))
    agent.keeps_open = True
    async with open_agent(agent) as binding:
        async with aclosing(binding.subscribe("t", None)) as updates:
            await anext(updates)
            assert not agent.client_left.is_set()
        with anyio.fail_after(2):
            await agent.client_left.wait()


async def test_open_stream_fails_when_the_binding_closes() -> None:
    agent = CannedServer(stream(event(UPDATE)).replace(b"Content-Length: ", b"X: "))
    agent.keeps_open = True
    errors: list[str] = []

    async def read(binding: Binding, begun: anyio.Event) -> None:
        try:
            async for _ in binding.subscribe("t", None):
                begun.set()
        except AgentUnreachable as error:
            errors.append(str(error))

    async with anyio.create_task_group() as readers:
        async with open_agent(agent) as binding:
            begun = anyio.Event()
            readers.start_soon(read, binding, begun)
            await begun.wait()
        with pytest.raises(AgentUnreachable):
            await binding.get_task("t")
        with pytest.raises(AgentUnreachable):
            await anext(binding.subscribe("t", None))
    assert "connection broken: it was closed" in errors[0]
