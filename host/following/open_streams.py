"""Finds the updates that several open streams of one task carry.

While a subscription is open, the response to a message carries the same updates. Either
of the two may be ahead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from ..protocol.a2a_objects import StreamResponse

MAX_EXPECTED = 1_000  # A stream that is further behind is no longer used.

Key = bytes
_encode_key = msgspec.json.Encoder(order="deterministic").encode


@dataclass(eq=False)
class OpenStream:
    """One stream. `expected` are the updates that other streams had first."""

    expected: Counter[Key] = field(default_factory=Counter)
    is_too_late: bool = False


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

    def open(self) -> OpenStream:
        stream = OpenStream()
        self._streams.append(stream)
        return stream

    def close(self, stream: OpenStream) -> None:
        self._streams.remove(stream)

    def is_repeat(self, stream: OpenStream, response: StreamResponse) -> bool:
        """Return whether another stream had this update of `stream` first."""
        if stream.is_too_late:
            return True
        if len(self._streams) == 1 and not stream.expected:
            return False
        key = _key(response)
        if key is None:
            return False
        if stream.expected[key]:
            stream.expected.subtract([key])
            if not stream.expected[key]:
                del stream.expected[key]
            return True
        if len(self._streams) == 1:
            # The only stream is past the updates that it was expected to bring.
            stream.expected.clear()
        for other in self._streams:
            if other is not stream:
                other.expected[key] += 1
                other.is_too_late = len(other.expected) > MAX_EXPECTED
        return False


def _key(response: StreamResponse) -> Key | None:
    """Return the content of an update as a key. A Task has none: reconcile compares it.

    Ids are left out, because an agent may name the task in one of two streams only.
    """
    if status := response.status_update:
        return _encode_key((status.status, status.metadata))
    if chunk := response.artifact_update:
        flags = chunk.append, chunk.last_chunk
        return _encode_key((chunk.artifact, flags, chunk.metadata))
    return _encode_key(response.message) if response.message else None
