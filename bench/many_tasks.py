"""Agents with many open tasks, for bench/load.py.

Run them with `python -m bench.many_tasks PORT AGENTS TASKS`. Each task sends three
updates and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bench.good_agents import name_of
from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, Json, serve, status

UPDATES, PAUSE_S = 3, 5.0
PAGE = 50


class Busy(OneTaskAgent):
    """Has `tasks` open tasks. Each ends after a client has read its updates."""

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self._sent = {f"{number:05d}": 0 for number in range(tasks)}

    async def call(self, exchange: Exchange) -> None:
        params = exchange.params
        if exchange.method == "ListTasks":
            start = int(params.get("pageToken") or 0)
            some = list(self._sent)[start : start + PAGE]
            end = start + PAGE
            more = str(end) if end < len(self._sent) else ""
            tasks = [self._task(name) for name in some]
            await exchange.result({"tasks": tasks, "nextPageToken": more})
        elif exchange.method == "GetTask":
            await exchange.result(self._task(params["id"]))
        else:
            await exchange.refuse(-32601, "no such method")

    async def subscribe(self, exchange: Exchange) -> None:
        name = exchange.params["id"]
        await exchange.head()
        await self._send(exchange, {"task": self._task(name)})
        while self._sent[name] < UPDATES:
            await asyncio.sleep(PAUSE_S)
            self._sent[name] += 1
            update = {"taskId": name, "contextId": "c", "status": self._status(name)}
            await self._send(exchange, {"statusUpdate": update})

    async def _send(self, exchange: Exchange, result: Json) -> None:
        await exchange.send(exchange.event(json.dumps(result).encode()))

    def _task(self, name: str) -> Json:
        return {"id": name, "contextId": "c", "status": self._status(name)}

    def _status(self, name: str) -> Json:
        sent = self._sent[name]
        state = "TASK_STATE_COMPLETED" if sent == UPDATES else "TASK_STATE_WORKING"
        return status(f"update {sent}", sent, state)


async def main(port: str, count: str, tasks: str) -> None:
    agents = {name_of(n): Busy(int(tasks)) for n in range(1, int(count) + 1)}
    await serve(int(port), lambda x: agents[x.name].handle(x))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
