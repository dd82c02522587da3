"""A server of agent cards, each under its own path.

The interfaces in the cards belong to other agents of the test. So a test can define
the order of the interfaces, and which of them do not work.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


class CardServer:
    """`cards` maps paths to cards. A test may change it at any time."""

    def __init__(self, url: str, cards: dict[str, Json]) -> None:
        self.url = url
        self.cards = cards


def card_with(*interfaces: Json, streaming: bool = True, **more: Any) -> Json:
    """Build a 1.0 card with these interfaces, in this order."""
    return {
        "name": "Somebody",
        "description": "An agent card for tests.",
        "version": "1",
        "supportedInterfaces": list(interfaces),
        "capabilities": {"streaming": streaming},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [],
    } | more


def interface(binding: str, version: str, url: str) -> Json:
    return {"protocolBinding": binding, "protocolVersion": version, "url": url}


@contextmanager
def card_server(cards: Mapping[str, Json] | None = None) -> Iterator[CardServer]:
    """Serve the cards."""
    by_path = dict(cards or {})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            card = by_path.get(self.path)
            body = json.dumps(card).encode() if card else b"nothing here"
            self.send_response(200 if card else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    yield CardServer(f"http://127.0.0.1:{server.server_port}", by_path)
    server.shutdown()
    thread.join()
    server.server_close()
