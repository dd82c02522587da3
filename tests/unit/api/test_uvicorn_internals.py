"""Tests that uvicorn has the private parts that server.py and connections.py use.

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
    for name in (
        "on_headers_complete",
        "on_message_complete",
        "on_response_complete",
        "pause_writing",
        "resume_writing",
        "timeout_keep_alive_handler",
        "_unset_keepalive_if_required",
    ):
        assert len(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == 1
    for name, count in (("on_url", 2), ("on_header", 3), ("on_body", 2)):
        found = inspect.signature(getattr(HttpToolsProtocol, name)).parameters
        assert len(found) == count


def test_protocol_has_the_fields_that_ours_reads() -> None:
    source = inspect.getsource(HttpToolsProtocol.__init__)
    for name in (
        "app",
        "client",
        "connections",
        "cycle",
        "loop",
        "parser",
        "pipeline",
        "transport",
    ):
        assert f"self.{name}" in source
    source = inspect.getsource(RequestResponseCycle.__init__)
    for name in (
        "chunked_encoding",
        "disconnected",
        "expected_content_length",
        "message_event",
        "response_complete",
        "response_started",
    ):
        assert f"self.{name}" in source
    assert "self.cycle = RequestResponseCycle(" in inspect.getsource(
        HttpToolsProtocol.on_headers_complete
    )


def test_server_creates_protocols_as_ours_does() -> None:
    source = inspect.getsource(uvicorn.Server.startup)
    for name in ("config", "server_state", "app_state", "_loop"):
        assert f"{name}=" in source


def test_server_closes_what_is_in_its_list_of_servers() -> None:
    source = inspect.getsource(uvicorn.Server)
    assert "for server in self.servers:\n            server.close()" in source
    assert "await server.wait_closed()" in source


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
