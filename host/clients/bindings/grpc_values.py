"""Counts the values of a protobuf message before it is parsed.

Two bytes can be a whole submessage. It takes 100 bytes of memory and 8 µs to read.
"""

from __future__ import annotations

from functools import cache

from google.protobuf.descriptor import Descriptor

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10  # Bytes.


class _NotProtobuf(ValueError):
    """The rest is no protobuf, and its parser refuses it."""


def count_values(data: bytes, message: Descriptor, limit: int) -> int:
    """Return the number of fields and submessages, or some number over `limit`.

    Data that is no protobuf is counted up to its first fault.
    """
    count = 0
    ranges = [(0, len(data), message)]
    try:
        while ranges and count <= limit:
            position, end, parent = ranges.pop()
            submessages = _submessages(parent)
            while position < end and count <= limit:
                count += 1
                tag, position = _read_varint(data, position)
                kind = tag & 7
                if kind == VARINT:
                    _, position = _read_varint(data, position)
                elif kind == BYTES:
                    size, start = _read_varint(data, position)
                    position = start + size
                    child = submessages.get(tag >> 3)
                    if child is not None and size:
                        ranges.append((start, min(position, end), child))
                else:
                    position += FIXED_SIZES.get(kind, 0)  # A group has only tags.
    except (IndexError, _NotProtobuf):
        pass
    return count


@cache
def _submessages(message: Descriptor) -> dict[int, Descriptor]:
    return {
        field.number: field.message_type
        for field in message.fields
        if field.message_type is not None
    }


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number and the position after it."""
    if (first := data[position]) < 0x80:  # 99 % of all.
        return first, position + 1
    number = 0
    for shift, byte in enumerate(data[position : position + LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return number, position + shift + 1
    raise _NotProtobuf
