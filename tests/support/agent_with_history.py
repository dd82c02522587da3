"""An agent with 10,000 finished tasks. It records each call and the response size.

It runs in a thread of the test's process, so that tests can read the recorded calls.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.support.raw_agent import Json, card, status

TASKS = 10_000
WORDS = "All is done. " * 20


class Call(NamedTuple):
    """One JSON-RPC call: its time, method, parameters and response size."""

    at_s: float
    method: str
    params: Json
    answer_bytes: int


class AgentWithHistory:
    """An agent whose tasks finished one per second until now. The newest is first.

    Without `filters` it ignores the filters of ListTasks.
    """

    def __init__(self, *, filters: bool = True) -> None:
        self.calls: list[Call] = []
        self._filters = filters
        newest = datetime.now(timezone.utc).replace(microsecond=0)
        self._tasks = [
            _finished(number, newest - timedelta(seconds=number))
            for number in range(TASKS)
        ]
        self._by_id = {task["id"]: task for task in self._tasks}

    def list_calls(self) -> list[Call]:
        return [call for call in self.calls if call.method == "ListTasks"]

    def answer(self, body: bytes) -> bytes:
        call = json.loads(body)
        method, params = call["method"], call.get("params", {})
        answer: Json = {"jsonrpc": "2.0", "id": call["id"]}
        if method == "ListTasks":
            answer["result"] = self._list(params)
        elif method == "GetTask":
            answer["result"] = self._by_id[params["id"]]
        else:
            answer["error"] = {"code": -32004, "message": "the task is over"}
        data = json.dumps(answer).encode()
        self.calls.append(Call(time.monotonic(), method, params, len(data)))
        return data

    def _list(self, params: Json) -> Json:
        found = self._tasks
        if self._filters:
            if since := params.get("statusTimestampAfter"):
                after = datetime.fromisoformat(since.replace("Z", "+00:00"))
                found = [task for task in found if _moment(task) >= after]
            if state := params.get("status"):
                found = [task for task in found if task["status"]["state"] == state]
        start = int(params.get("pageToken") or 0)
        end = start + params.get("pageSize", 50)
        more = "" if end >= len(found) else str(end)
        # As in A2A: without historyLength=0 the response contains the history.
        dropped = () if params.get("historyLength") != 0 else ("history", "artifacts")
        page = [
            {key: value for key, value in task.items() if key not in dropped}
            for task in found[start:end]
        ]
        return {"tasks": page, "nextPageToken": more, "totalSize": len(found)}


def _finished(number: int, at: datetime) -> Json:
    last = status(WORDS, number, "TASK_STATE_COMPLETED")
    stamp = at.isoformat().replace("+00:00", "Z")
    return {
        "id": f"t{number}",
        "contextId": f"c{number}",
        "status": last | {"timestamp": stamp},
        "history": [last["message"]] * 10,
        "artifacts": [{"artifactId": "a", "parts": [{"text": WORDS * 10}]}],
    }


def _moment(task: Json) -> datetime:
    stamp: str = task["status"]["timestamp"]
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))


@contextmanager
def serve_agent(agent: AgentWithHistory) -> Iterator[str]:
    """Serve the agent. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = f"http://{self.headers['host']}/"
            self._send(json.dumps(card("agent", url)).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._send(agent.answer(body))

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
