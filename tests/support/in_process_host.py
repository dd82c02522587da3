"""A host without agents in the test's process, on a log of the test.

stack.py starts hosts as processes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from host.api.connections import Connection
from host.api.listener import Listener
from host.api.places import Places, trust_nobody
from host.api.refusals import Warnings
from host.app import Host
from host.config.load import Config
from host.log.contract import Log


def create_host(folder: Path, log: Log) -> Host:
    """Create a host. Its feed works inside `async with host.running()`."""
    config = Config(
        host="127.0.0.1",
        port=8000,
        data_dir=folder,
        log="memory",
        keep_events=1_000_000,
        keep_s=None,
        agents={},
    )
    return Host(config, log)


@asynccontextmanager
async def serve_app(
    app: ASGIApp,
    most: int | None = None,
    tls: ssl.SSLContext | None = None,
    trusts: Callable[[str], bool] = trust_nobody,
    listener: socket.socket | None = None,
) -> AsyncIterator[int]:
    """Serve the app as the host does, for `most` connections. Yields the port."""
    config = uvicorn.Config(app, ws="none", log_config=None)
    config.load()
    state, warnings = ServerState(), Warnings()

    def create_connection(on_end: Callable[[], None]) -> Connection:
        return Connection(config, state, {}, warnings=warnings, on_end=on_end)

    server = Listener(create_connection, Places(most, trusts), warnings, tls)
    with listener or socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server.listen(listener)
        try:
            yield listener.getsockname()[1]
        finally:
            for connection in list(state.connections):
                connection.transport.abort()
            server.close()
            while state.tasks:
                await asyncio.wait(state.tasks)
