"""An agent with one task that sends large updates as fast as the client reads.

Run it with `python -m tests.support.chatty_agent PORT UPDATES BYTES`.
test_unread_agents.py counts the bytes that a host reads from it.
"""

from __future__ import annotations

import asyncio
import sys

from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, serve


class ChattyAgent(OneTaskAgent):
    """Sends `updates` updates of about `size` bytes. The last one ends the task."""

    def __init__(self, updates: int, size: int) -> None:
        super().__init__()
        self._left, self._size = updates, size

    async def stream(self, exchange: Exchange) -> None:
        while self._left:
            self._left -= 1
            self.over = not self._left
            text = f"{self.number} ".ljust(self._size, "x")
            await exchange.send(exchange.event(self.update(text)))


async def main(port: str, updates: str, size: str) -> None:
    agent = ChattyAgent(int(updates), int(size))
    await serve(int(port), agent.handle)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
