"""Builds the snapshots of the board, with a limit in bytes.

Readers that join at the same event share one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple
from weakref import WeakSet

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from ..model.board import Board, TaskKey
from ..model.event import AgentEvent, TaskEvent, encode
from ..model.filter import Filter, Place
from ..model.shorten import cut_text, shorten_row
from ..model.sse import feed_frame
from ..model.timestamps import now

MAX_SNAPSHOT_BYTES = 1_900 * 1024
HEAD_BYTES = 2_000  # For the fields of one reader.
# The page shows 400 characters of a text. 1,000 such rows fit.
MAX_TEXT_BYTES = 512
# Only long ids make a row so long. It is left out.
MAX_ROW_BYTES = 16 * 1024
# Above this, or above half of the snapshot for all agents, a row has no skills.
MAX_AGENT_BYTES = 64 * 1024
# A blocked reader keeps the rest of its snapshot in memory. If readers keep this many,
# the next ones get the newest of them, and the events after it.
MAX_SNAPSHOTS = 8
# A send keeps about this much in memory for a client that does not read.
PIECE_BYTES = 64 * 1024


class _Head(Struct, frozen=True):
    """The fields of a snapshot that differ between readers."""

    id: int
    now: str
    epoch: str
    reset: bool
    reason: str | None


class _Encoded(NamedTuple):
    row: TaskEvent
    data: bytes


class SharedSnapshot:
    """The agents and tasks after the event `id`, as pieces of JSON.

    An iterator of `frame` or `open_rows` keeps it in memory until it is exhausted.
    """

    __slots__ = ("__weakref__", "_open_rows", "_pieces", "id")

    def __init__(self, event_id: int, data: bytes, open_rows: list[_Encoded]) -> None:
        self.id = event_id
        self._pieces = tuple(_split(data))
        self._open_rows = open_rows

    def frame(self, epoch: str, reset: str | None) -> Iterator[bytes]:
        """Yield the SSE frame for one reader. Its id is the cursor to continue from.

        `reset`: why the reader's own cursor cannot be continued.
        """
        head = _Head(self.id, now(), epoch, reset is not None, reset)
        first, *others = self._pieces
        fields = msgspec.json.encode(head)[:-1]
        event_id = f"{epoch}-{self.id}".encode()
        yield b"event: snapshot\nid: %b\ndata: %b,%b" % (event_id, fields, first)
        yield from others

    def open_rows(self, epoch: str, where: Filter) -> Iterator[bytes]:
        """Yield the rows of the open tasks that match, as frames of events."""
        frames, size = [], 0
        for row, data in self._open_rows:
            if where.matches(Place(row.agent, row.task_id, row.context_id, "task")):
                frames.append(feed_frame(epoch, self.id, data))
                size += len(frames[-1])
            if size >= PIECE_BYTES:
                yield b"".join(frames)
                frames, size = [], 0
        yield b"".join(frames)


class Snapshots:
    """Keeps the newest snapshot, and the encoded rows for the next one."""

    def __init__(self) -> None:
        self._newest: SharedSnapshot | None = None
        # Weak: a snapshot is in memory until the last reader has got it.
        self._in_use: WeakSet[SharedSnapshot] = WeakSet()
        self._encoded: dict[TaskKey, _Encoded] = {}

    def get(self, board: Board, head: int) -> SharedSnapshot:
        """Return the snapshot at the event `head`, or one shortly before it."""
        newest = self._newest
        is_current = newest is not None and newest.id == head
        if newest is None or not (is_current or len(self._in_use) >= MAX_SNAPSHOTS):
            newest = self._newest = self._build(board, head)
            self._in_use.add(newest)
        return newest

    def _build(self, board: Board, head: int) -> SharedSnapshot:
        agents = b",".join(_encode_agents(board))
        rows = list(board.tasks())
        self._encode(rows, MAX_SNAPSHOT_BYTES - HEAD_BYTES - len(agents))
        chosen = [
            self._encoded[key] for row in rows if (key := _key(row)) in self._encoded
        ]
        left_out = len(rows) - len(chosen)
        data = b'"agents":[%b],"tasks":[%b]%b}\n\n' % (
            agents,
            b",".join(each.data for each in chosen),
            b',"tasks_left_out":%d' % left_out if left_out else b"",
        )
        return SharedSnapshot(head, data, [one for one in chosen if one.row.is_open])

    def _encode(self, rows: list[TaskEvent], room: int) -> None:
        """Encode the newest rows of each agent, so many that they fit.

        Open tasks come first. One agent with many tasks leaves room for the others.
        """
        by_agent: dict[str, list[TaskEvent]] = {}
        for row in rows:
            by_agent.setdefault(row.agent, []).append(row)
        before, self._encoded = self._encoded, {}
        turns = zip_longest(*(reversed(each) for each in by_agent.values()))
        for row in (row for turn in turns for row in turn if row):
            key = _key(row)
            encoded = before.get(key)
            if encoded is None or encoded.row is not row:
                encoded = _Encoded(row, encode(shorten_row(row, MAX_TEXT_BYTES)))
            if len(encoded.data) > MAX_ROW_BYTES:
                continue
            room -= len(encoded.data) + 1
            if room < 0:
                return
            self._encoded[key] = encoded


def _key(row: TaskEvent) -> TaskKey:
    return row.agent, row.task_id


def _encode_agents(board: Board) -> Iterator[bytes]:
    room = MAX_SNAPSHOT_BYTES // 2
    for row in board.agents.values():
        data = encode(row)
        if len(data) > min(room, MAX_AGENT_BYTES):
            data = encode(_shorten_agent(row))
        room -= len(data)
        yield data


def _shorten_agent(row: AgentEvent) -> AgentEvent:
    texts = {
        name: cut_text(text, MAX_TEXT_BYTES)
        for name in ("cause", "description", "trouble", "title", "version")
        if (text := getattr(row, name))
    }
    return replace(row, **texts, skills=[], lint=UNSET)


def _split(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
