"""Finds the updates that several open streams of one task carry.

While a subscription is open, the response to a message carries the same updates. Either
of the two may be ahead, and a Task may be ahead of both.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from ..model.event import Event
from ..protocol.a2a_objects import Message, StreamResponse
from ..protocol.task_record import TaskRecord
from .chunks_ahead import ChunksAhead, Repeat

MAX_EXPECTED = 1_000  # A stream that is further behind is no longer used.

_encode = msgspec.json.Encoder(order="deterministic").encode


class Key(NamedTuple):
    """The hash of an update's content. `artifact_id` is None unless it is a chunk."""

    artifact_id: str | None
    content: bytes


class OpenStream:
    """One stream. `expected` are the updates that other streams had first, in order.

    `is_subscription`: it can be closed and opened again.

    Until the stream is in step, some of them may never come: the agent may have sent
    them before this stream began.
    """

    def __init__(self, *, is_subscription: bool = False) -> None:
        self._is_subscription = is_subscription
        self.expected: list[Key] = []
        self.read_ahead = ChunksAhead()
        self.is_in_step = False
        self.is_sure = False  # Otherwise only equal chunks show where the stream is.
        self.is_too_late = False

    @property
    def expects_nothing(self) -> bool:
        return not (self.expected or self.read_ahead or self.is_too_late)

    def begin_batch(self) -> None:
        """Call it before the updates of each batch are taken."""
        self.is_in_step |= not self.expected
        self.is_sure |= self.expects_nothing

    def expect(self, key: Key, response: StreamResponse) -> None:
        if not self.read_ahead.add(response):
            self.expected.append(key)
        self.is_too_late |= len(self.expected) > MAX_EXPECTED
        self._limit_read_ahead()

    def take(self, key: Key, response: StreamResponse) -> Repeat:
        """Take an update of the stream off those that it was expected to bring."""
        is_chunk = key.artifact_id is not None
        if key not in self.expected:
            repeat = self._take_ahead(response)
            if is_chunk and repeat is Repeat.NO:
                self._skip_chunks(len(self.expected), key.artifact_id)
            return repeat
        place = self.expected.index(key)
        was_in_step, self.is_in_step = self.is_in_step, True
        del self.expected[place]
        self.is_sure = self.is_sure if is_chunk and was_in_step else not is_chunk
        if not was_in_step:
            del self.expected[:place]
        elif is_chunk:
            self._skip_chunks(place, key.artifact_id)
        return Repeat.YES if was_in_step or not is_chunk else Repeat.PERHAPS

    def ignore(self, key: Key, response: StreamResponse) -> Repeat:
        """Take a chunk of a stream that is not in step: another stream brings it."""
        if key in self.expected:
            self.expected.remove(key)
            return Repeat.YES
        repeat = self._take_ahead(response)
        return Repeat.PERHAPS if repeat is Repeat.NO else repeat

    def _take_ahead(self, response: StreamResponse) -> Repeat:
        repeat = self.read_ahead.take(response)
        if repeat is Repeat.YES and self.expects_nothing:
            self.is_in_step = self.is_sure = True
        return repeat

    def note_read(
        self,
        record: TaskRecord,
        events: Iterable[Event],
        *,
        has_gap: bool,
        is_proof: bool,
    ) -> None:
        """Take note of what a Task has added. See OpenStreams.note_read."""
        if is_proof and not self.is_sure:
            self.expected = [key for key in self.expected if key.artifact_id is None]
            self.read_ahead.find(record)
        else:
            is_whole = self.is_in_step and not has_gap
            self.read_ahead.note(events, is_whole=is_whole, is_proof=is_proof)
        self._limit_read_ahead()

    def _limit_read_ahead(self) -> None:
        # The agent may depend on the response to a message.
        if self._is_subscription and self.read_ahead.is_too_large:
            self.is_too_late, self.read_ahead = True, ChunksAhead()

    def _skip_chunks(self, end: int, artifact_id: str | None) -> None:
        """Expect no more chunks that the agent would have sent before this one."""
        self.expected[:end] = [
            key
            for key in self.expected[:end]
            if key.artifact_id is None
            or (self.is_in_step and key.artifact_id != artifact_id)
        ]
        self.is_in_step = True


class OpenStreams:
    """The open streams of one task.

    Each update counts once. When a stream brings an update first, the other open
    streams are expected to bring it too. When they do, it is a repeat.
    """

    def __init__(self) -> None:
        self._streams: list[OpenStream] = []

    @property
    def count(self) -> int:
        return len(self._streams)

    def open(self, *, is_subscription: bool = False) -> OpenStream:
        stream = OpenStream(is_subscription=is_subscription)
        self._streams.append(stream)
        return stream

    def close(self, stream: OpenStream) -> None:
        self._streams.remove(stream)

    def take(self, stream: OpenStream, response: StreamResponse) -> Repeat:
        """Return whether the feed already has this update of `stream`."""
        if stream.is_too_late:
            return Repeat.YES
        if stream.expects_nothing and stream.is_in_step:
            return Repeat.NO
        key = _key(response)
        if key is None:
            return Repeat.NO
        is_chunk = key.artifact_id is not None
        if is_chunk and not stream.is_in_step and self._is_any_in_step:
            return stream.ignore(key, response)
        repeat = stream.take(key, response)
        if repeat is Repeat.NO and len(self._streams) == 1:
            # The only stream is past the updates that it was expected to bring.
            stream.expected.clear()
        return repeat

    @property
    def _is_any_in_step(self) -> bool:
        return any(one.is_in_step and not one.is_too_late for one in self._streams)

    def note_first(self, stream: OpenStream, response: StreamResponse) -> None:
        """Take note that `stream` brought this update, and no other stream before."""
        if len(self._streams) == 1:
            return
        key = _key(response)
        if key is None:
            return
        for other in self._streams:
            if other is not stream:
                other.expect(key, response)

    def note_read(
        self,
        record: TaskRecord,
        events: Iterable[Event],
        *,
        has_gap: bool,
        is_proof: bool,
        reader: OpenStream | None = None,
    ) -> None:
        """Take note of what a Task has added: the streams may bring it too.

        `has_gap`: some of it was sent while no stream was open. `is_proof`: the Task
        has all that is in the feed. `reader` is the stream that brought the Task.
        """
        for stream in self._streams:
            if stream is not reader:
                stream.note_read(record, events, has_gap=has_gap, is_proof=is_proof)


def _key(response: StreamResponse) -> Key | None:
    """Return the content of an update as a key. A Task has none: reconcile compares it.

    Ids of the task are left out: an agent may name it in one of two streams only.
    """
    if update := response.status_update:
        message = _without_ids(update.status.message)
        status = replace(update.status, message=message)
        return Key(None, _hash((status, update.metadata)))
    if chunk := response.artifact_update:
        flags = chunk.append, chunk.last_chunk
        content = _hash((chunk.artifact, flags, chunk.metadata))
        return Key(chunk.artifact.artifact_id, content)
    if response.message:
        return Key(None, _hash(_without_ids(response.message)))
    return None


def _hash(content: object) -> bytes:
    return blake2b(_encode(content), digest_size=16).digest()


def _without_ids(message: Message | None) -> Message | None:
    return message and replace(message, task_id="", context_id="")
