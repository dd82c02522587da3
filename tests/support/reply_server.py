"""An HTTP server that sends the replies of a test, and records the requests.

It replaces agents that need credentials, and OAuth token endpoints. It uses real
sockets.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
OTHER_ADDRESS = "127.0.0.2"
"""Also this machine, but an address that neither host nor settings know."""


class ReceivedRequest(NamedTuple):
    """A request. Header names are in lower case."""

    target: str
    headers: dict[str, str]
    body: str


class Reply(NamedTuple):
    """A response. `endless` repeats the body until the client disconnects."""

    status: int = 200
    body: str = "{}"
    headers: dict[str, str] = {}  # noqa: RUF012 - never written to
    endless: bool = False
    ends: threading.Event | None = None
    """If set, the server waits for this event before it replies."""


ReplyFunction = Callable[[ReceivedRequest], Reply]


class ReplyServer(ThreadingHTTPServer):
    """Replies with the result of `answer`, and keeps each request in `requests`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: ReplyFunction, address: str) -> None:
        super().__init__((address, 0), _Handler)
        self.answer = answer
        self.requests: list[ReceivedRequest] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ReplyServer

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length).decode("utf-8", "surrogateescape")
        seen = ReceivedRequest(self.path, headers, body)
        self.server.requests.append(seen)
        reply = self.server.answer(seen)
        if reply.ends:
            reply.ends.wait(60)
        try:
            self._send(reply)
        except OSError:
            self.close_connection = True

    do_POST = do_GET

    def _send(self, reply: Reply) -> None:
        body = reply.body.encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if not reply.endless:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        while reply.endless:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def reply_server(
    answer: ReplyFunction = lambda _: Reply(), address: str = LOOPBACK
) -> Iterator[ReplyServer]:
    with ReplyServer(answer, address) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def token_reply(text: str, **more: object) -> Reply:
    """Build the response of a token endpoint (RFC 6749, 5.1)."""
    return Reply(body=json.dumps({"access_token": text, "token_type": "Bearer"} | more))
