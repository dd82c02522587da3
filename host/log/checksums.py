"""Checksums of the rows in the SQLite log, because SQLite has none.

They are CRC-32. docs/log-format.md describes them for other programs.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from ..model.event import decode
from ..model.filter import Place
from .contract import place_of

MASK_32, MASK_31 = 0xFFFF_FFFF, 0x7FFF_FFFF
ID_FACTOR, PLACE_FACTOR = 2_654_435_761, 2_246_822_507


def check_event(
    event_id: int, place: int, version: int, body: bytes, raw: bytes | None
) -> int:
    """Return the checksum of a row of `event`: 31 bits of `raw`, 32 bits of the rest.

    A reader of the body then needs not read the update.
    """
    start = (event_id * ID_FACTOR + place * PLACE_FACTOR + version) & MASK_32
    high = crc32(raw) & MASK_31 if raw else 0
    return high << 32 | crc32(body, start)


def is_event_intact(row: tuple[Any, Any, Any, Any, Any], place: Place) -> bool:
    """Check the columns id, place, version, crc and body.

    A row of an older format has no checksum. Its body must be an event of `place`.
    """
    event_id, place_id, version, crc, body = row
    if crc is None:
        return type(body) is bytes and _is_event_of(body, place)
    try:
        start = event_id * ID_FACTOR + place_id * PLACE_FACTOR + version
        return bool(crc & MASK_32 == crc32(body, start & MASK_32))
    except TypeError:  # SQLite columns have no fixed type.
        return False


def is_raw_intact(crc: Any, raw: Any) -> bool:
    """Check the columns crc and raw of an event."""
    if crc is None:
        return _is_json(raw)
    try:
        return bool(crc >> 32 == crc32(raw or b"") & MASK_31)
    except TypeError:
        return False


def check_place(place_id: int, place: Place) -> int:
    """Return the checksum of a row of `place`: of its values as a JSON list."""
    return crc32(msgspec.json.encode((place_id, *place)))


def is_place_intact(place_id: int, values: list[Any], crc: Any) -> bool:
    return bool(crc == check_place(place_id, Place._make(values)))


def check_source(name: str, version: int) -> int:
    """Return the checksum of a row of `source`."""
    return crc32(b"%b %d" % (name.encode(), version))


def is_source_intact(name: Any, version: Any, crc: Any) -> bool:
    """Check the columns of a source. In older formats, it has no checksum."""
    if type(name) is not str or type(version) is not int:
        return False
    return crc is None or crc == check_source(name, version)


def check_board(event_id: int, board: bytes) -> int:
    """Return the checksum of a saved board."""
    return crc32(board, event_id & MASK_32)


def is_board_intact(event_id: object, board: object, crc: object) -> bool:
    """Check the columns of the saved board. One of an older format has no checksum."""
    if type(event_id) is not int or type(board) is not bytes:
        return False
    return crc is None or crc == check_board(event_id, board)


def _is_event_of(body: bytes, place: Place) -> bool:
    try:
        return place_of(decode(body)) == place
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _is_json(raw: object) -> bool:
    if not raw:
        return raw is None or raw == b""
    try:
        msgspec.json.decode(raw)  # type: ignore[call-overload]
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        return False
    return True
