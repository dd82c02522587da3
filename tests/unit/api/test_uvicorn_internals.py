"""Tests that uvicorn has the private parts that server.py and slow_clients.py use.

If a test fails after an upgrade, adapt the two modules and the bound in pyproject.toml.
"""

from __future__ import annotations

import inspect
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)


def test_protocol_has_the_methods_that_ours_overrides() -> None:
    for name in ("connection_made", "connection_lost", "data_received"):
        assert len(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == 2
    for name in ("on_message_begin", "on_headers_complete", "on_message_complete"):
        assert len(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == 1


def test_protocol_has_the_fields_that_ours_reads() -> None:
    source = inspect.getsource(HttpToolsProtocol.__init__)
    for name in ("loop", "client", "connections", "limit_concurrency", "cycle"):
        assert f"self.{name}" in source
    source = inspect.getsource(RequestResponseCycle.__init__)
    for name in ("response_started", "response_complete"):
        assert f"self.{name}" in source


def test_server_has_the_methods_that_ours_overrides() -> None:
    # In the source: sse-starlette replaces `handle_exit` when it is imported.
    source = inspect.getsource(sys.modules[uvicorn.Server.__module__])
    for method in (
        "startup(self, sockets",
        "capture_signals(self",
        "handle_exit(self, sig",
    ):
        assert f"def {method}" in source


def test_server_installs_the_signal_handlers_in_capture_signals() -> None:
    assert "with self.capture_signals()" in inspect.getsource(uvicorn.Server.serve)
