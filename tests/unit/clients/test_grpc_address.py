"""Tests that a gRPC connection goes only to the addresses that the host has checked.

host/clients/bindings/grpc.py, with a fake resolver and a real server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.bindings.base import Binding
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from tests.support.binding_server import connect_to
from tests.support.resolver import resolving


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def open_grpc(port: int) -> AsyncIterator[Binding]:
    """Open an interface at a name that only the fake resolver knows."""
    url = f"http://agent.example:{port}"
    async with connect_to(url) as transport:
        interface = Interface("GRPC", "1.0", url)
        card, limiter = pb.AgentCard(), RateLimiter()
        async with open_binding(interface, card, transport, limiter) as opened:
            yield opened


async def test_grpc_connects_to_the_address_that_was_checked() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        with resolving(["127.0.0.1"], ["169.254.169.254"]) as resolver:
            async with open_grpc(port) as binding:
                await binding.reach()
    finally:
        await server.stop(None)

    assert resolver.asked == 1


@pytest.mark.parametrize("address", ["169.254.169.254", "64:ff9b:1::a9fe:a9fe"])
async def test_grpc_refuses_a_forbidden_address(address: str) -> None:
    with (
        resolving([address]),
        pytest.raises(AgentUnreachable, match="link-local or metadata"),
    ):
        async with open_grpc(80):
            pass
