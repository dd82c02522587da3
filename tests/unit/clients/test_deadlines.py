"""Tests that a call to an agent fails at its deadline, over a real socket."""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import pytest

from host.clients.bindings import base, http_transport
from host.clients.bindings.base import Binding
from host.clients.bindings.http_transport import CALL_S, RESPONSE_S
from host.clients.bindings.operations import CANCEL_S, LIST_S
from host.clients.bindings.types import Query
from host.errors import AgentUnreachable
from tests.support.binding_server import connect_to, create_message, open_agent
from tests.support.canned_server import CannedServer

SHORT_S = 0.1


async def send(binding: Binding) -> Any:
    async with aclosing(binding.send(create_message(), streaming=False)) as batches:
        return await anext(batches)


CALLS: dict[str, tuple[float, Callable[[Binding], Awaitable[Any]]]] = {
    "LIST_TASKS": (LIST_S, lambda binding: binding.list_tasks(Query())),
    "CANCEL_TASK": (CANCEL_S, lambda binding: binding.cancel("t1")),
    "GET_TASK": (CALL_S, lambda binding: binding.get_task("t1")),
    "SEND_MESSAGE": (RESPONSE_S, send),
}


@pytest.mark.parametrize("name", CALLS)
async def test_call_of_a_silent_agent_fails_at_its_deadline(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadline_s, call = CALLS[name]
    operation = getattr(base, name)
    monkeypatch.setattr(base, name, replace(operation, deadline_s=SHORT_S))
    silent = CannedServer(b"")
    silent.keeps_open = True

    async with open_agent(silent) as binding:
        with pytest.raises(AgentUnreachable, match="timeout: no response in time"):
            await call(binding)

    assert operation.deadline_s == deadline_s


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps so few")
async def test_connecting_to_a_machine_that_does_not_accept_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel does not answer once as many connections wait as it keeps."""
    monkeypatch.setattr(http_transport, "CONNECT_S", SHORT_S)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        url = f"http://127.0.0.1:{address[1]}"
        with socket.create_connection(address):
            async with connect_to(url) as transport:
                request = transport.call_client.build_request("GET", url)
                with (
                    anyio.fail_after(CALL_S * 6),
                    pytest.raises(AgentUnreachable, match="timeout"),
                    transport.map_errors("GetTask", url),
                ):
                    async with transport.call(request, deadline_s=60):
                        pass
