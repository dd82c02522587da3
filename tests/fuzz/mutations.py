"""Changes valid inputs: bit flips, cuts, splices, nesting, huge numbers, bad UTF-8.

All changes come from one Random, so that a seed gives the same inputs again.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MAX_BYTES = 64 * 1024  # The host decodes a larger input in a thread.
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
TOKENS = [
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\n\n",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\udfff\\ud800",
    b",",
    b",}",
    b",]",
    b"[,]",
    b"{}",
    b"[]",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"data: ",
    b"event: error\n",
    b":",
    b": ping\n\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"5;x=y\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n",
]
NUMBERS = [b"9" * 400, b"1e400", b"-1e-400", b"1" + b"0" * 5_000, b"-0", b"0x1f"]
VALUES: list[Any] = [
    None,
    True,
    -1,
    2**64,
    2**70,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "\x00",
    "\u202e",
    "9" * 30,
    "2026-13-99T25:61:00Z",
    "0001-01-01T00:00:00Z",
    [],
    {},
    [[]],
    [None],
    {"": None},
    [{"id": 5}],
    "x" * 300,
]

Change = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutate(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of `seeds` after a few changes, with at most MAX_BYTES."""
    data = random.choice(seeds)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 6))):
        data = random.choice(CHANGES)(random, data, seeds)
    if random.random() < 0.005:
        data = _repeat_much(random, data, seeds)
    return data[:MAX_BYTES]


def split(random: Random, data: bytes) -> list[bytes]:
    """Split `data` as a network may: at any places, or not at all."""
    if len(data) < 2 or random.random() < 0.3:
        return [data]
    count = random.choice((1, 1, 2, 5, 30))
    cuts = sorted(random.randrange(len(data)) for _ in range(count))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 4, 16, 200)))


def _flip(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _truncate(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _splice(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = random.choice(seeds)
    here, there = _span(random, data)[0], _span(random, other)[0]
    return data[:here] + other[there:]


def _insert(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + random.choice(TOKENS) + data[random.choice((start, end)) :]


def _insert_bytes(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, _end = _span(random, data)
    return data[:start] + random.randbytes(random.randrange(1, 8)) + data[start:]


def _duplicate(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 2, 20)) + data[end:]


def _repeat_much(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    part = random.choice((data[start:end], random.choice(TOKENS), b"[", b'{"a":'))
    count = MAX_BYTES // max(len(part), 1)
    return (data[:start] + part * count + data[end:])[:MAX_BYTES]


def _nest(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Put a value, if there is one, into many arrays or objects."""
    start, end = _span(random, data)
    depth = random.choice((1, 5, 40, 99, 101, 300, 3_000))
    before, after = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    if values := list(NUMBER.finditer(data)):
        start, end = random.choice(values).span()
    return data[:start] + before * depth + data[start:end] + after * depth + data[end:]


def _number(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    values = list(NUMBER.finditer(data))
    if not values:
        return data
    start, end = random.choice(values).span()
    return data[:start] + random.choice(NUMBERS) + data[end:]


def _replace_value(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Replace, remove or move a value of a JSON document. Else, change its bytes."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return _insert(random, data, seeds)
    places = list(_places(body))
    if not places:
        return data
    holder, key = random.choice(places)
    kind = random.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, name = random.choice(places)
        holder[key] = copy.deepcopy(other[name])
    else:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    return json.dumps(body, ensure_ascii=random.random() < 0.8).encode(
        errors="surrogatepass"
    )


def _places(body: Any) -> list[tuple[Any, Any]]:
    """Return each place of a value, as its object or array and its key."""
    found: list[tuple[Any, Any]] = []
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            keys: Any = list(value)
        elif isinstance(value, list):
            keys = range(len(value))
        else:
            continue
        found.extend((value, key) for key in keys)
        waiting.extend(value[key] for key in keys)
    return found


CHANGES: list[Change] = [
    _flip,
    _cut,
    _truncate,
    _splice,
    _insert,
    _insert_bytes,
    _duplicate,
    _nest,
    _number,
    _replace_value,
    _replace_value,
    _replace_value,
]
