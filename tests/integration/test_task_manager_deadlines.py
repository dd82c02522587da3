"""TaskManager whose host does not answer, or sends nothing."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from host import TaskManager
from host.task_manager import via_host
from host.task_manager.errors import HostUnreachable
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.manager_transports import updates_of
from tests.support.stack import Stack
from tests.support.waiting import wait_until

SHORT_S = 0.5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), ["carly"], log="memory") as stack:
        yield stack


@pytest.fixture
def proxy(stack: Stack) -> Iterator[FaultProxy]:
    """A proxy in front of the host."""
    with FaultProxy(int(stack.url.rpartition(":")[2])) as running:
        yield running


async def test_host_that_sends_nothing_is_connected_again(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(via_host, "READ_TIMEOUT_S", SHORT_S)
    async with TaskManager(host=proxy.url) as manager:
        await wait_until(lambda: proxy.counts.connections >= 3, "more connections")
        await manager.start_task("carly/availability")
        updates = await updates_of(manager)

    assert updates[-1]["status"] == "completed"


async def test_host_that_does_not_respond_is_an_error(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(via_host, "RESPONSE_TIMEOUT_S", SHORT_S)
    async with TaskManager(host=proxy.url) as manager:
        await manager.start_task("carly/availability")
        await updates_of(manager)
        proxy.set_faults(Faults(stall_after=0))
        with pytest.raises(HostUnreachable, match="may have processed the request"):
            await manager.start_task("carly/availability")
        proxy.clear_faults()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps so few")
async def test_host_that_does_not_accept_connections_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel does not answer once as many connections wait as it keeps."""
    monkeypatch.setattr(via_host, "CONNECT_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(via_host, "FIRST_CONTACT_S", SHORT_S)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        url = f"http://127.0.0.1:{address[1]}"
        no_host = pytest.raises(HostUnreachable, match=f"no Courtside host .* {url}")
        with socket.create_connection(address), no_host:
            async with TaskManager(host=url):
                pytest.fail("it was entered")
