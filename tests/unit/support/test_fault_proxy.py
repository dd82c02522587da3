"""Tests of the fault proxy with a small server behind it and plain sockets."""

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
from tests.support.waiting import wait_until_sync

SENT = b"0123456789" * 1000


class Sender(StreamRequestHandler):
    """Answers every line with SENT and keeps the connection open."""

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
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def ask(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\n")


def receive(client: socket.socket, at_most: int = len(SENT)) -> bytes:
    """Receive up to `at_most` bytes, or until the end or a reset."""
    got = b""
    try:
        while len(got) < at_most and (data := client.recv(at_most - len(got))):
            got += data
    except ConnectionResetError:
        pass
    return got


def test_proxy_without_faults_forwards_and_counts_all_bytes(
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
def test_proxy_cuts_one_connection_at_the_exact_byte(
    proxy: FaultProxy, after: int
) -> None:
    proxy.set_faults(Faults(cut_after=after))

    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT[:after]
    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT
    assert proxy.counts.cuts == 1


def test_cut_resets_every_open_connection(proxy: FaultProxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        for client in (one, other):
            ask(client)
            assert receive(client) == SENT

        assert proxy.cut() == 2

        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    wait_until_sync(lambda: proxy.open_connections == 0, "the connections to end", 30)


def test_stalled_connection_continues_after_heal(
    proxy: FaultProxy,
) -> None:
    proxy.set_faults(Faults(stall_after=4000))

    with connect(proxy) as client:
        ask(client)
        assert receive(client, 4000) == SENT[:4000]
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(30)
        proxy.clear_faults()
        assert receive(client, 6000) == SENT[4000:]


def test_slow_connection_keeps_its_rate(proxy: FaultProxy) -> None:
    proxy.set_faults(Faults(bytes_per_s=50_000))

    with connect(proxy) as client:
        began = time.monotonic()
        ask(client)
        assert receive(client) == SENT

    assert time.monotonic() - began > len(SENT) / 50_000 * 0.9


def test_refusing_proxy_accepts_again_after_heal(
    proxy: FaultProxy,
) -> None:
    proxy.set_faults(Faults(refuse=True))
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)

    proxy.clear_faults()

    with connect(proxy) as client:
        ask(client)
        assert receive(client) == SENT


def test_proxy_ends_connections_if_its_target_is_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    # The reset may already end connect().
    with FaultProxy(port) as proxy, suppress(ConnectionError), connect(proxy) as client:
        ask(client)
        assert receive(client) == b""


def test_proxy_leaves_no_socket_open_when_it_ends() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as target:
        port = target.getsockname()[1]
        for _ in range(50):
            with FaultProxy(port) as proxy:
                clients = [connect(proxy) for _ in range(3)]
            for client in clients:
                client.close()
    # An unclosed socket warns, and a warning fails the test.
    gc.collect()
