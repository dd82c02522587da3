"""An agent whose ListTasks and other answers a test changes while the host runs.

It runs in a thread of the test's own process, and records each request.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.support.raw_agent import Json, card, status

CARD = "card"
Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


class Asked(NamedTuple):
    """One request: when it came, its method or CARD, its parameters."""

    at_s: float
    method: str
    params: Json


def rpc(**fields: object) -> Answer:
    """Return a JSON-RPC response with these fields: `result` or `error`."""
    return 200, {}, json.dumps({"jsonrpc": "2.0", "id": 1, **fields}).encode()


def refuse(code: int, message: str) -> Answer:
    return rpc(error={"code": code, "message": message})


class ListAgent:
    """A polled agent. `answers` maps methods, or CARD, to functions of the parameters,
    which take the place of its good answers."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.tasks: list[Json] = []
        self.answers: dict[str, Callable[[Json], Answer]] = {}
        self.url = ""

    def add_task(self, task_id: object, state: str = "WORKING") -> None:
        now = status(f"I am {task_id}", len(self.tasks), f"TASK_STATE_{state}")
        self.tasks.insert(0, {"id": task_id, "contextId": "c1", "status": now})

    def count(self, method: str | None = None) -> int:
        return sum(method in (None, asked.method) for asked in self.asked)

    def answer(self, method: str, params: Json) -> Answer:
        self.asked.append(Asked(time.monotonic(), method, params))
        if method in self.answers:
            return self.answers[method](params)
        if method == CARD:
            shown = card("agent", self.url, streaming=False)
            return 200, {}, json.dumps(shown).encode()
        if method == "ListTasks":
            return rpc(result={"tasks": self.tasks})
        if method == "GetTask":
            for task in self.tasks:
                if str(task["id"]) == params["id"]:
                    return rpc(result=task)
            return refuse(-32001, "no such task")
        if method == "SendMessage":
            self.add_task(f"sent{len(self.tasks)}", "COMPLETED")
            return rpc(result={"task": self.tasks[0]})
        return refuse(-32601, f"{method} is not here")


@contextmanager
def serve_list_agent(agent: ListAgent) -> Iterator[str]:
    """Run the agent. Yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(*agent.answer(CARD, {}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            call = json.loads(body)
            self._send(*agent.answer(call["method"], call.get("params", {})))

        def _send(self, code: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(code)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    agent.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield agent.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
