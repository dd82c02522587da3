"""Every binding of the host, with a real agent that offers them all."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    MethodNotFoundError,
    TaskNotCancelableError,
    TaskNotFoundError,
)

from host.clients.bindings.base import Binding
from host.clients.bindings.http_transport import HttpTransport
from host.clients.bindings.json_errors import UpdatesGone
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface, Query
from host.clients.card import fetch_card, list_interfaces
from host.clients.credentials import Credentials
from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings
from host.errors import AgentUnreachable
from host.protocol.a2a_parser import parse_response
from tests.support.harness import Server, free_port

pytest.importorskip("grpc")

WELL_KNOWN = "/.well-known/agent-card.json"
PROTOCOLS = [
    ("JSONRPC", "1.0"),
    ("HTTP+JSON", "1.0"),
    ("GRPC", "1.0"),
    ("JSONRPC", "0.3"),
    ("HTTP+JSON", "0.3"),
]
every_binding = pytest.mark.parametrize("protocol", PROTOCOLS, ids="-".join)


@pytest.fixture(scope="module")
def carly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, grpc_port = free_port(), free_port()
    server = Server(
        "carly",
        [
            sys.executable,
            "-m",
            "agents",
            "carly",
            "--step-s=0.02",
            f"--port={port}",
            f"--grpc-port={grpc_port}",
        ],
        folder=tmp_path_factory.mktemp("carly"),
        url=f"http://127.0.0.1:{port}",
        ready_path=WELL_KNOWN,
    )
    server.restart()
    yield server
    server.terminate()


@asynccontextmanager
async def open_agent(
    carly: Server, protocol: tuple[str, str]
) -> AsyncIterator[Binding]:
    async with HttpTransport(
        "carly", Credentials(AgentSettings(carly.url))
    ) as transport:
        card = await fetch_card(transport, carly.url)
        (interface,) = [i for i in list_interfaces(card) if i[:2] == protocol]
        async with open_binding(interface, card, transport, RateLimiter()) as binding:
            yield binding


def message() -> pb.SendMessageRequest:
    parts = [pb.Part(text="Find a slot")]
    mine = pb.Message(message_id=uuid.uuid4().hex, role=pb.ROLE_USER, parts=parts)
    return pb.SendMessageRequest(message=mine)


async def run_task(binding: Binding) -> tuple[str, list[int | None]]:
    """Run a task to its end. Return its id, and the numbers of its updates."""
    numbers, task_id = [], ""
    async for batch in binding.send(message(), streaming=True):
        assert not batch.left_out
        for update in batch.updates:
            assert parse_response(update.raw) == update.response
            task_id = update.response.task_id or ""
            assert update.response.update
            numbers.append(update.response.update.sequence)
    return task_id, numbers


@every_binding
async def test_task_is_streamed_read_and_resumed(
    carly: Server, protocol: tuple[str, str]
) -> None:
    async with open_agent(carly, protocol) as binding:
        await binding.reach()
        task_id, numbers = await run_task(binding)
        assert numbers == [1, 2, 3, 4, 5, 6, 7]
        task = (await binding.get_task(task_id)).response.task
        assert task and task.status.state == "TASK_STATE_COMPLETED"
        again = [
            update.response.update and update.response.update.sequence
            async for batch in binding.subscribe(task_id, 3)
            for update in batch.updates
        ]
        assert again == [4, 5, 6, 7]


@every_binding
async def test_agents_errors_become_a2a_errors(
    carly: Server, protocol: tuple[str, str]
) -> None:
    async with open_agent(carly, protocol) as binding:
        task_id, _ = await run_task(binding)
        with pytest.raises(TaskNotCancelableError):
            await binding.cancel(task_id)
        with pytest.raises(TaskNotFoundError):
            await binding.get_task("nobody")
        # A2A 0.3 has no such error, and its HTTP+JSON has no error at all.
        gone = UpdatesGone if protocol[1] == "1.0" else (A2AError, AgentUnreachable)
        with pytest.raises(gone):
            await anext(binding.subscribe(task_id, 99))


@every_binding
async def test_unary_message_returns_at_once_and_its_task_is_cancelled(
    carly: Server, protocol: tuple[str, str]
) -> None:
    async with open_agent(carly, protocol) as binding:
        (batch,) = [batch async for batch in binding.send(message(), streaming=False)]
        (update,) = batch.updates
        assert update.response.task
        task = (await binding.cancel(update.response.task.id)).response.task
        assert task and task.status.state == "TASK_STATE_CANCELED"


@every_binding
async def test_tasks_are_listed_in_pages_in_version_1_0(
    carly: Server, protocol: tuple[str, str]
) -> None:
    async with open_agent(carly, protocol) as binding:
        ids = {(await run_task(binding))[0] for _ in range(2)}
        if protocol[1] == "0.3":
            with pytest.raises(MethodNotFoundError):
                await binding.list_tasks(Query())
            return
        first = await binding.list_tasks(Query(page_size=1))
        assert first.next_token
        second = await binding.list_tasks(
            Query(page_size=1, page_token=first.next_token)
        )
        found = [*first.tasks, *second.tasks]
        assert {task.task_id for task in found} == ids
        since = Query(since=first.tasks[0].timestamp, status="TASK_STATE_COMPLETED")
        assert first.tasks[0] in (await binding.list_tasks(since)).tasks


async def test_grpc_error_names_the_cause() -> None:
    async with HttpTransport(
        "carly", Credentials(AgentSettings("http://127.0.0.1:1"))
    ) as transport:
        for url, words in {
            "127.0.0.1:1": "connection refused",
            "http://nobody.invalid:1": "DNS: no such host",
            "http://169.254.169.254:1": "link-local or metadata address",
            "ftp://127.0.0.1": "bad URL: ",
            "http://[::": "bad ",
        }.items():
            interface = Interface("GRPC", "1.0", url)
            with pytest.raises(AgentUnreachable, match=words):
                async with open_binding(
                    interface, pb.AgentCard(), transport, RateLimiter()
                ) as binding:
                    with pytest.raises(AgentUnreachable, match=words):
                        await binding.reach()
                    await binding.get_task("t")
