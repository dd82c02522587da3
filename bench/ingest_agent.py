"""The agent of the ingest benchmark: one task with prepared updates.

`python -m bench.ingest_agent PORT UPDATES` sends all updates to each subscriber, as
fast as it reads: over JSON-RPC at /jsonrpc, and over HTTP+JSON at /rest. As with the
SDK's agents, each event is an HTTP chunk of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, card, serve

PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"
BINDINGS = {"jsonrpc": "JSONRPC", "rest": "HTTP+JSON"}
TEXT = "Querying the calendars of the team, one after the other: number"
BATCH = 100


class PreparedTask(OneTaskAgent):
    """One update in ten is a chunk of an artifact. The others are status updates."""

    def __init__(self, binding: str, updates: int) -> None:
        super().__init__()
        self._binding = binding
        self._results = [self._result(n, updates) for n in range(1, updates)]
        working = self.status
        self.over = True
        self._results.append(self.update("The end."))
        self.status = working

    def _result(self, number: int, updates: int) -> bytes:
        if number % 10 == 0:
            artifact = {
                "artifactId": "a",
                "name": "result",
                "parts": [{"text": f"line {number}, "}],
            }
            ids = {"taskId": "t1", "contextId": "c1"}
            chunk = {**ids, "artifact": artifact, "append": number > 10}
            return json.dumps({"artifactUpdate": chunk}).encode()
        update = json.loads(self.update(f"{TEXT} {number}"))
        percent = {"progress": number * 100 // updates, "total": 100}
        progress = {"trackers": [{"id": "work", **percent}], "aggregate": percent}
        update["statusUpdate"]["metadata"] = {PROGRESS: progress}
        return json.dumps(update).encode()

    async def card(self, exchange: Exchange) -> None:
        shown = card(exchange.name, exchange.url, binding=self._binding)
        await exchange.answer(json.dumps(shown).encode())

    async def subscribe(self, exchange: Exchange) -> None:
        """Send the updates. The stream does not start with a Task."""
        await exchange.head(headers="Transfer-Encoding: chunked\r\n")
        events = [exchange.event(result) for result in self._results]
        chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
        for start in range(0, len(chunks), BATCH):
            await exchange.send(b"".join(chunks[start : start + BATCH]))
        await exchange.send(b"0\r\n\r\n")


async def main() -> None:
    updates = int(sys.argv[2])
    agents = {
        name: PreparedTask(binding, updates) for name, binding in BINDINGS.items()
    }
    await serve(int(sys.argv[1]), lambda x: agents[x.name].handle(x))


if __name__ == "__main__":
    asyncio.run(main())
