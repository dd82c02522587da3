"""Owns the agent of the ingest benchmark: one task whose updates are there already.

`python -m bench.telling_source PORT UPDATES` sends them as fast as they are read, over
JSON-RPC under /jsonrpc and over HTTP+JSON under /rest, to each subscriber anew.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.support.bad_streams import Neighbour
from tests.support.raw_agent import Exchange, card, serve

PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"
BINDINGS = {"jsonrpc": "JSONRPC", "rest": "HTTP+JSON"}
WORDS = "Querying the calendars of the team, one after the other: number"
AT_ONCE = 100


class Telling(Neighbour):
    """Nearly all are status updates, as agents send them; one in ten is a chunk of an
    artifact."""

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
        update = json.loads(self.update(f"{WORDS} {number}"))
        percent = {"progress": number * 100 // updates, "total": 100}
        told = {"trackers": [{"id": "work", **percent}], "aggregate": percent}
        update["statusUpdate"]["metadata"] = {PROGRESS: told}
        return json.dumps(update).encode()

    async def card(self, exchange: Exchange) -> None:
        shown = card(exchange.name, exchange.url, binding=self._binding)
        await exchange.answer(json.dumps(shown).encode())

    async def subscribe(self, exchange: Exchange) -> None:
        """Without a Task before: the first one is an update like the others."""
        await exchange.head()
        events = [exchange.event(result) for result in self._results]
        for start in range(0, len(events), AT_ONCE):
            await exchange.send(b"".join(events[start : start + AT_ONCE]))


async def main() -> None:
    updates = int(sys.argv[2])
    agents = {name: Telling(binding, updates) for name, binding in BINDINGS.items()}
    await serve(int(sys.argv[1]), lambda x: agents[x.name].play(x))


if __name__ == "__main__":
    asyncio.run(main())
