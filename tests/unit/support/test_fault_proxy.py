"""The proxy that hurts connections hurts them as it says, and counts what went by.

A small server behind it, plain sockets in front of it.
"""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import wait_until

SENT = b"0123456789" * 1000


class Sender(StreamRequestHandler):
    """Answers every line with SENT and stays."""

    def handle(self) -> None:
        while self.rfile.readline():
            self.wfile.write(SENT)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with ThreadingTCPServer(("127.0.0.1", 0), Sender) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            with FaultProxy(server.server_address[1]) as running:
                yield running
        finally:
            server.shutdown()
            thread.join()


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\n")


def receive(client: socket.socket, at_most: int = len(SENT)) -> bytes:
    """What comes, up to `at_most` bytes, the end or a reset."""
    got = b""
    try:
        while len(got) < at_most and (data := client.recv(at_most - len(got))):
            got += data
    except ConnectionResetError:
        pass
    return got


def test_without_faults_everything_goes_through_and_is_counted(
    proxy: FaultProxy,
) -> None:
    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT
        ask(client)
        assert receive(client) == SENT

    assert proxy.counts.connections == 1
    assert proxy.counts.requests == 2
    assert proxy.counts.down_bytes == 2 * len(SENT)
    assert proxy.counts.up_bytes == 2 * len(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("after", [1, 777, len(SENT) - 1])
def test_a_connection_is_cut_at_just_that_byte_and_the_next_one_is_not(
    proxy: FaultProxy, after: int
) -> None:
    proxy.suffer(Faults(cut_after=after))

    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT[:after]
    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT
    assert proxy.counts.cuts == 1


def test_a_cut_is_a_reset_on_every_connection_that_is_open(proxy: FaultProxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        for client in (one, other):
            ask(client)
            assert receive(client) == SENT

        assert proxy.cut() == 2

        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    wait_until(lambda: proxy.open_connections == 0, 5, "the links to be forgotten")


def test_what_is_stalled_stays_open_and_goes_on_when_it_is_healed(
    proxy: FaultProxy,
) -> None:
    proxy.suffer(Faults(stall_after=4000))

    with connect(proxy) as client:
        ask(client)
        assert receive(client, 4000) == SENT[:4000]
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(5)
        proxy.heal()
        assert receive(client, 6000) == SENT[4000:]


def test_a_slow_connection_takes_the_time_that_it_must(proxy: FaultProxy) -> None:
    proxy.suffer(Faults(bytes_per_s=50_000))

    with connect(proxy) as client:
        began = time.monotonic()
        ask(client)
        assert receive(client) == SENT

    assert time.monotonic() - began > len(SENT) / 50_000 * 0.9


def test_a_refusing_proxy_refuses_until_it_is_healed_on_the_same_port(
    proxy: FaultProxy,
) -> None:
    proxy.suffer(Faults(refuse=True))
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)

    proxy.heal()

    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT


def test_an_agent_that_is_not_there_is_not_there_through_the_proxy_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    # It may be reset as soon as it is there.
    with FaultProxy(port) as proxy, suppress(ConnectionError), connect(proxy) as client:
        ask(client)
        assert receive(client) == b""


def test_it_leaves_nothing_open_whoever_connects_while_it_ends() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as target:
        port = target.getsockname()[1]
        for _ in range(50):
            with FaultProxy(port) as proxy:
                clients = [connect(proxy) for _ in range(3)]
            for client in clients:
                client.close()
    # A socket that is forgotten warns, and a warning fails the test.
    gc.collect()
