"""A host without agents in the test's process, on a log of the test.

stack.py starts hosts as processes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from host.api.connections import Connection
from host.api.refusals import Warnings
from host.api.tls import TlsListener
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
    app: ASGIApp, most: int | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve the app as the host does, for `most` connections. Yields the port."""
    config = uvicorn.Config(app, ws="none", log_config=None, limit_concurrency=most)
    config.load()
    state, warnings = ServerState(), Warnings()
    create = partial(Connection, config, state, {}, warnings=warnings)
    loop = asyncio.get_running_loop()
    server: asyncio.Server | TlsListener
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if tls:
            server = TlsListener(tls, create, state.connections, most, warnings)
            server.listen(listener)
        else:
            server = await loop.create_server(create, sock=listener)
        try:
            yield listener.getsockname()[1]
        finally:
            for connection in list(state.connections):
                connection.transport.abort()
            server.close()
            while state.tasks:
                await asyncio.wait(state.tasks)
