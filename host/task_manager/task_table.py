"""Owns what a manager has seen: the agents' rows, and the updates of its own tasks.

A way brings every event of a feed; the manager's streams read what is kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import anyio
import msgspec
from msgspec import Struct

from ..errors import CourtsideError
from ..model.event import TERMINAL, WAITING, AgentEvent, decode

Update = dict[str, Any]

HOLD_S = 2.0


class Key(NamedTuple):
    """An agent, and the id of a task of its, or of a message that came without one."""

    agent: str
    id: str


@dataclass
class Own:
    """What a manager started, as far as its updates have told."""

    key: Key
    is_message: bool
    context_id: str | None = None
    status: str | None = None
    asks: bool = False

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING


class _Head(Struct):
    """Of an event what tells whose it is."""

    kind: str
    agent: str
    task_id: str | None = None
    message_id: str | None = None
    context_id: str | None = None
    status: str | None = None

    @property
    def key(self) -> Key:
        own_id = self.message_id if self.kind == "message" else self.task_id
        return Key(self.agent, own_id or "")


class Ledger:
    """`take` each event in the feed's order; `follow` gives those that are ours.

    An event may come before the answer that says whose it is. Then it and all behind
    it are held until that answer is there: every stream has the feed's order. An agent
    that does not answer for HOLD_S holds up the others no longer; should those events
    be ours, they come late.
    """

    def __init__(self) -> None:
        self.agents: dict[str, AgentEvent] = {}
        self.own: dict[Key, Own] = {}
        self.starting = 0
        self.is_ready = False
        self.failure: CourtsideError | None = None
        self._updates: list[tuple[Key, bytes]] = []
        self._held: deque[tuple[_Head, bytes]] = deque()
        self._aside: list[tuple[_Head, bytes]] = []
        self._asking: Counter[str] = Counter()
        self._slow: set[str] = set()
        self._changed = anyio.Event()

    @property
    def changed(self) -> anyio.Event:
        """Set at the next change of anything here."""
        return self._changed

    def change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def take(self, body: bytes) -> None:
        """The JSON of an event with its id, in order."""
        head = _heads.decode(body)
        if head.kind == "agent":
            row = decode(body)
            if isinstance(row, AgentEvent):
                self.set_agent(row)
                self.change()
        else:
            self._held.append((head, body))
            self._settle()

    def set_agent(self, row: AgentEvent) -> None:
        if row.connection == "removed":
            self.agents.pop(row.agent, None)
        else:
            self.agents[row.agent] = row

    def ready(self) -> None:
        self.is_ready = True
        self.change()

    def fail(self, error: CourtsideError) -> None:
        """Nothing more will come. The first reason counts."""
        self.failure = self.failure or error
        self.change()

    @contextmanager
    def asking(self, agent: str) -> Iterator[None]:
        """While a message is on its way to `agent`: what comes of it may come first."""
        self._asking[agent] += 1
        loop = asyncio.get_running_loop()
        timer = loop.call_later(HOLD_S, self._hold_no_longer, agent)
        try:
            yield
        finally:
            timer.cancel()
            self._asking[agent] -= 1
            if not self._asking[agent]:
                self._slow.discard(agent)
            aside, self._aside = self._aside, []
            self._held.extendleft(reversed(aside))
            self._settle()

    def claim(self, key: Key, *, is_message: bool) -> Own:
        """Its updates are ours from now on, and those that were held."""
        return self.own.setdefault(key, Own(key, is_message))

    def open(self, key: Key | None = None) -> list[Own]:
        """What has not ended: of all, or of one."""
        ours = self.own.values() if key is None else [self.own[key]]
        return [own for own in ours if not own.is_over]

    async def follow(self, key: Key | None = None) -> AsyncGenerator[Update]:
        """All updates, or those of one task, from the first to the last.

        Raises what `fail` was given where that comes before the end.
        """
        position = 0
        while True:
            changed = self._changed
            while position < len(self._updates):
                whose, body = self._updates[position]
                position += 1
                if key in (None, whose):
                    # Decoded for each reader: it may change what it gets.
                    yield msgspec.json.decode(body)
            if not self.open(key) and not (key is None and self.starting):
                return
            if self.failure:
                raise self.failure
            if changed is self._changed:
                await changed.wait()

    def _hold_no_longer(self, agent: str) -> None:
        self._slow.add(agent)
        self._settle()

    def _settle(self) -> None:
        """Keeps or drops what is held, up to where that cannot be said yet."""
        while self._held:
            head, body = self._held[0]
            if head.key in self.own:
                self._keep(head, body)
            elif self._asking[head.agent] and head.agent in self._slow:
                self._aside.append((head, body))
            elif self._asking[head.agent]:
                return
            self._held.popleft()

    def _keep(self, head: _Head, body: bytes) -> None:
        own = self.own[head.key]
        self._updates.append((head.key, body))
        own.context_id = head.context_id or own.context_id
        if head.kind == "message":
            own.status = "completed"
        elif head.kind == "task":
            own.status = head.status
            own.asks = own.is_waiting
        self.change()


_heads = msgspec.json.Decoder(_Head)
