"""A polled agent that lists its tasks as A2A says: filtered, newest first, in pages.

Tests break its connections at a page, or hold back what GetTask returns.
"""

from __future__ import annotations

import threading
import time

from host.model.timestamps import format_timestamp
from tests.support.list_agent import Answer, ListAgent, refuse, rpc
from tests.support.raw_agent import Json

GIVE_UP_S = 60.0


class PagedAgent(ListAgent):
    """`away` breaks each connection, `cut_page` the next request for a later page.

    While `may_read` is not set, GetTask does not return.
    """

    def __init__(self) -> None:
        super().__init__()
        self.away = self.cut_page = False
        self.may_read = threading.Event()
        self.may_read.set()
        self.has_filters = True

    def add(
        self,
        task_id: str,
        at_s: float,
        state: str = "COMPLETED",
        context: str = "c",
        text: str = "",
    ) -> None:
        said = {
            "messageId": f"m-{task_id}-{text}",
            "role": "ROLE_AGENT",
            "parts": [{"text": text or f"I am {task_id}"}],
        }
        status = {
            "state": f"TASK_STATE_{state}",
            "timestamp": format_timestamp(at_s),
            "message": said,
        }
        self.tasks = [task for task in self.tasks if task["id"] != task_id]
        self.tasks.insert(0, {"id": task_id, "contextId": context, "status": status})

    def add_many(self, count: int, name: str, state: str = "COMPLETED") -> list[str]:
        """Add tasks that ended one after the other, from now on. Return their ids."""
        now = time.time()
        ids = [f"{name}{number}" for number in range(count)]
        for number, task_id in enumerate(ids):
            self.add(task_id, now + number * 0.1, state)
        return ids

    def answer(self, method: str, params: Json) -> Answer:
        if self.away or (self.cut_page and params.get("pageToken")):
            self.cut_page = False
            raise ConnectionAbortedError("as the test wants it")
        if method == "GetTask":
            self.may_read.wait(GIVE_UP_S)
        if method == "ListTasks" and method not in self.answers:
            return self._list(params)
        if method == "SubscribeToTask":
            return refuse(-32004, "no streams")
        return super().answer(method, params)

    def _list(self, params: Json) -> Answer:
        super().answer("ListTasks", params)  # Records the request.
        tasks = list(self.tasks)
        if self.has_filters:
            state, since = params.get("status"), params.get("statusTimestampAfter", "")
            tasks = [
                task
                for task in tasks
                if state in (None, task["status"]["state"])
                and task["status"].get("timestamp", "") >= since
            ]
        tasks.sort(key=lambda task: task["status"].get("timestamp", ""), reverse=True)
        start, size = int(params.get("pageToken") or 0), params.get("pageSize", 50)
        end = start + size
        token = str(end) if end < len(tasks) else ""
        return rpc(result={"tasks": tasks[start:end], "nextPageToken": token})
