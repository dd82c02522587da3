"""Agents with wrong cards, responses or streams. One server has each under a path.

The host in test_host_bad_agents.py follows all of them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.raw_agent import Json, card

NO_INTERFACE: Json = {"supportedInterfaces": []}


def task(state: str = "TASK_STATE_WORKING", **more: Any) -> Json:
    return {"id": "t1", "contextId": "c1", "status": {"state": state}, **more}


def result(value: Any) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "result": value}


def error(code: int) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "no"}}


# Agents without a usable card: the status and body of the response.
NO_CARD: dict[str, tuple[int, bytes]] = {
    "page": (200, b"<html>It works!</html>"),
    "list": (200, b"[]"),
    "null": (200, b"null"),
    "number": (200, b"3"),
    "empty": (200, b""),
    "deep": (200, b"[" * 40_000),
    "endless": (200, b"[" * 100_000),
    "strange": (200, b'{"name": 5, "skills": "none"}'),
    "wronghost": (200, b'{"name": "x"}'),
    "forbidden": (401, b"no"),
    "missing": (404, b"no"),
    "broken": (500, b"no"),
    "moved": (302, b""),
}
# Agents with a good card and a bad response to every JSON-RPC call.
BAD_ANSWERS: dict[str, bytes] = {
    "rpcpage": b"<html>It works!</html>",
    "rpcnull": b"null",
    "rpclist": b"[]",
    "rpcempty": b"",
    "rpcnothing": b"{}",
    "rpcerror": json.dumps(error(-32603)).encode(),
    "rpcunknown": json.dumps(error(1)).encode(),
    "rpcnumber": json.dumps(result(5)).encode(),
    "rpcwrong": json.dumps(result({"tasks": 5})).encode(),
    "rpcdeep": b'{"result":' * 50_000,
    "nolist": json.dumps(error(-32601)).encode(),
    "blanktask": json.dumps(result({"tasks": [{}]})).encode(),
    "samepage": json.dumps(
        result({"tasks": [task()], "nextPageToken": "1", "pageSize": 1})
    ).encode(),
}
# Agents with one task and a bad stream: the `data:` of SubscribeToTask.
BAD_STREAMS: dict[str, list[Any]] = {
    "silent": [],
    "text": ["hello"],
    "foreign": [result({"task": task() | {"id": "another"}})],
    "stateless": [result({"statusUpdate": {"taskId": "t1", "contextId": "c1"}})],
    "surrogate": [
        result(
            {
                "statusUpdate": {
                    "taskId": "t1",
                    "contextId": "c1",
                    "status": {
                        "state": "TASK_STATE_WORKING",
                        "message": {
                            "messageId": "m1",
                            "role": "ROLE_AGENT",
                            "parts": [{"text": "\ud800"}],
                        },
                    },
                }
            }
        )
    ],
    "failing": [error(-32603)],
}


class BadAgentHandler(BaseHTTPRequestHandler):
    """The first segment of the path is the name of the agent."""

    def do_GET(self) -> None:
        name = self.path.split("/")[1]
        if name == "hang":
            self.rfile.read()  # Wait until the client disconnects.
        if name in ("hang", "cut"):
            return
        status, body = NO_CARD.get(name) or (200, self.card(name))
        self.answer(body, status)

    def do_POST(self) -> None:
        name = self.path.split("/")[1]
        body = self.rfile.read(int(self.headers["content-length"]))
        if name in BAD_ANSWERS:
            return self.answer(BAD_ANSWERS[name])
        method = json.loads(body)["method"]
        if method == "ListTasks":
            return self.answer(json.dumps(result({"tasks": [task()]})).encode())
        if method == "GetTask":
            return self.answer(json.dumps(result(task())).encode())
        frames = [f"data: {json.dumps(data)}\n\n" for data in BAD_STREAMS[name]]
        self.answer("".join(frames).encode(), kind="text/event-stream")

    def card(self, name: str) -> bytes:
        binding = {"gopher": "GOPHER"}.get(name, "JSONRPC")
        fields = card(name, f"http://{self.headers['host']}/{name}/", binding=binding)
        if name == "mute":
            fields |= NO_INTERFACE
        return json.dumps(fields).encode()

    def answer(
        self, body: bytes, status: int = 200, kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if status == 302:
            self.send_header("location", self.path)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


ALL = [*NO_CARD, "hang", "cut", "mute", "gopher", *BAD_ANSWERS, *BAD_STREAMS]


@contextmanager
def serve_bad_agents() -> Iterator[dict[str, str]]:
    """Serve all bad agents. Yields their URLs by name."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BadAgentHandler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    yield {name: f"{base}/{name}" for name in ALL} | {
        "nowhere": "http://no-such-host.invalid:80"
    }
    server.shutdown()
    thread.join()
    server.server_close()
