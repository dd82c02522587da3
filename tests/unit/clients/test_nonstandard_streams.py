"""Streams in other formats than server-sent events, and frames that are no updates."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from hypothesis import given
from hypothesis import strategies as st

from host.clients.bindings import json_lines
from host.clients.bindings.content_decoder import PIECE, ContentDecoder
from host.clients.bindings.json_lines import JsonLinesParser
from host.clients.bindings.selection import open_binding
from host.clients.bindings.sse import Frame
from host.clients.bindings.types import Interface
from host.clients.bindings.unreachable_errors import BadResponse
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from tests.support.binding_server import (
    SSE,
    TASK,
    UPDATE,
    Json,
    connect_to,
    event,
    open_agent,
    read_batches,
)
from tests.support.canned_server import CannedServer, http_response, serve

RESULTS: list[Json] = [{"task": TASK}, UPDATE, UPDATE]
LINES = [json.dumps({"jsonrpc": "2.0", "id": 1, "result": one}) for one in RESULTS]
REFUSAL = b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "gone"}}'
EVENTS = b"".join(event(one) for one in RESULTS)


async def read_all(response: bytes) -> tuple[int, int]:
    """Return the numbers of updates and of dropped updates."""
    updates = dropped = 0
    async with open_agent(CannedServer(response)) as binding:
        async for batch in binding.subscribe("t", None):
            updates += len(batch.updates)
            dropped += batch.left_out
    return updates, dropped


@pytest.mark.parametrize("kind", ["application/x-ndjson", "text/plain", SSE, "", "a/b"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("has_last_end", [True, False])
async def test_json_lines_are_read_as_updates(
    kind: str, end: str, has_last_end: bool
) -> None:
    body = end.join(LINES) + (end if has_last_end else "")

    assert await read_all(http_response(body.encode(), kind)) == (3, 0)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json"])
async def test_events_are_read_without_their_content_type(kind: str) -> None:
    assert await read_all(http_response(EVENTS, kind)) == (3, 0)
    assert await read_all(http_response(b": ping\n\n" + EVENTS, kind)) == (3, 0)


async def test_one_json_object_over_many_lines_is_one_update() -> None:
    body = json.dumps({"result": UPDATE}, indent=2).encode()

    assert await read_all(http_response(body)) == (1, 0)


@pytest.mark.parametrize("missing", [1, 2])
async def test_last_event_without_its_line_ends_is_read(missing: int) -> None:
    assert await read_all(http_response(EVENTS[:-missing], SSE)) == (3, 0)


async def test_half_of_a_last_event_is_not_read() -> None:
    assert await read_all(http_response(EVENTS[:-20], SSE)) == (2, 0)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP"])
async def test_compressed_stream_is_read(coding: str) -> None:
    body = gzip.compress(EVENTS) if "g" in coding.lower() else zlib.compress(EVENTS)
    head = (
        f"HTTP/1.1 200 X\r\nContent-Type: {SSE}\r\nContent-Encoding: {coding}\r\n\r\n"
    )

    assert await read_all(head.encode() + body) == (3, 0)


def test_raw_deflate_is_decoded() -> None:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = compressor.compress(EVENTS) + compressor.flush()

    assert b"".join(ContentDecoder("deflate").decode(data)) == EVENTS


def test_compressed_bomb_is_decoded_in_small_pieces() -> None:
    pieces = ContentDecoder("gzip").decode(gzip.compress(b"x" * 50 * 1024 * 1024))

    assert max(map(len, pieces)) <= PIECE


async def test_compressed_call_counts_decoded_bytes() -> None:
    body = gzip.compress(b'{"result": "' + b"x" * 9 * 1024 * 1024 + b'"}')
    head = b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\n\r\n"
    async with open_agent(CannedServer(head + body)) as binding:
        with pytest.raises(AgentUnreachable, match="too large"):
            await binding.get_task("t")


def test_unknown_coding_is_refused() -> None:
    with pytest.raises(BadResponse, match="encoded as zstd"):
        ContentDecoder("zstd")


HEARTBEATS = [
    b"data: [DONE]\n\n",
    b"data:\n\n",
    b"event: ping\ndata: 2026-11-23T12:00:00Z\n\n",
    b'event: heartbeat\ndata: {"uptime": 7}\n\n',
    b'data: {"type": "keep-alive"}\n\n',
    b'data: {"ping": 1732363200}\n\n',
    b'data: "pong"\n\n',
    b"event: close\ndata: bye\n\n",
    b'data: {"jsonrpc": "2.0", "id": 1, "result": null}\n\n',
    b'data: {"jsonrpc": "2.0", "id": 1, "result": {}, "error": null}\n\n',
    b'data: {"jsonrpc": "2.0", "method": "notifications/log", "params": {}}\n\n',
]


@pytest.mark.parametrize("heartbeat", HEARTBEATS)
async def test_heartbeat_is_neither_an_update_nor_a_loss(heartbeat: bytes) -> None:
    found = await read_batches(event(UPDATE), heartbeat, heartbeat, event(UPDATE))

    assert sum(len(batch.updates) for batch in found) == 2
    assert not any(batch.left_out for batch in found)


@pytest.mark.parametrize(
    "broken",
    [
        b'data: {"result": {"statusUpdate": {"status": 7, "taskId": "t"}}}\n\n',
        b'data: {"statusUpdate": {"status": {"state": []}, "taskId": {}}}\n\n',
        b'data: {"result": {"task": {"status": {}}}}\n\n',
    ],
)
async def test_broken_update_is_a_loss_under_any_event_name(broken: bytes) -> None:
    for name in (b"", b"event: done\n", b"event: ping\n"):
        found = await read_batches(event(UPDATE), name + broken, event(UPDATE))

        assert sum(batch.left_out for batch in found) == 1


@pytest.mark.parametrize("name", [b"ping", b"error", b"status-update", b"done"])
async def test_update_is_read_under_any_event_name(name: bytes) -> None:
    found = await read_batches(b"event: %b\n" % name + event(UPDATE), event(UPDATE))

    assert sum(len(batch.updates) for batch in found) == 2


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"result": {"error": "the model is overloaded"}}\n\n',
        b'data: {"result": {"error": {"message": "the model is overloaded"}}}\n\n',
        b'data: {"jsonrpc": "2.0", "error": "the model is overloaded"}\n\n',
        b"event: error\ndata: the model is overloaded\n\n",
        b'{"error": {"code": -1, "message": "the model is overloaded"}}',
    ],
)
async def test_error_of_the_agent_ends_the_stream_with_its_words(frame: bytes) -> None:
    with pytest.raises(AgentUnreachable, match=r"reports an error.*overloaded"):
        await read_all(http_response(frame, SSE))


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"error": "out of memory"}\n\n',
        b'data: {"error": {"code": 500, "status": "INTERNAL", "message": "out of '
        b'memory"}}\n\n',
    ],
)
async def test_error_over_http_json_has_the_words_of_the_agent(frame: bytes) -> None:
    agent = CannedServer(http_response(frame, SSE))
    async with open_agent(agent, "HTTP+JSON") as binding:
        with pytest.raises(AgentUnreachable, match=r"reports an error.*out of memory"):
            await anext(binding.subscribe("t", None))


async def test_error_in_a_result_is_the_error_of_a_call() -> None:
    body = json.dumps({"result": {"error": "no database"}}).encode()
    async with open_agent(CannedServer(http_response(body))) as binding:
        with pytest.raises(AgentUnreachable, match=r"reports an error.*no database"):
            await binding.get_task("t")


@given(st.lists(st.integers(1, 30), max_size=30))
def test_lines_are_the_same_in_any_chunks(cuts: list[int]) -> None:
    data = ("\n".join(LINES) + "\n\nnot JSON\n" + LINES[0]).encode()
    parser, frames = JsonLinesParser(), []
    for cut in cuts:
        frames += parser.feed(data[:cut])
        data = data[cut:]
    frames += [*parser.feed(data), *parser.finish()]

    assert frames == [
        *(Frame(line.encode()) for line in LINES),
        Frame(b"not JSON"),
        Frame(LINES[0].encode()),
    ]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (http_response(EVENTS + HEARTBEATS[0], SSE), "pings"),
        (http_response(EVENTS, "text/plain"), "content type"),
        (http_response(event({"kind": "task", **TASK}), SSE), "forms of 0.3"),
        (http_response(EVENTS, SSE), ""),
        (http_response(REFUSAL, "application/json"), ""),
    ],
)
async def test_nonstandard_form_is_reported(response: bytes, words: str) -> None:
    async with serve(CannedServer(response)) as url, connect_to(url) as transport:
        interface = Interface("JSONRPC", "1.0", url)
        card, limiter = pb.AgentCard(), RateLimiter()
        async with open_binding(interface, card, transport, limiter) as binding:
            with suppress(A2AError):
                async for _ in binding.subscribe("t", None):
                    pass

        assert len(transport.lint) == (1 if words else 0)
        assert words in "".join(transport.lint)


@pytest.mark.parametrize(
    ("first", "line"),
    [(b"[\n", b"1,\n"), (b"x\n", b"]\n"), (b"[\n", b'{"\n'), (b'{"a":\n', b'"}\n')],
)
def test_lines_that_never_become_a_value_are_each_read_once(
    first: bytes, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []

    def is_json(data: bytes) -> bool:
        read.append(data)
        return False

    monkeypatch.setattr(json_lines, "is_json", is_json)
    parser = JsonLinesParser()
    parser.feed(first)
    for _ in range(100):
        parser.feed(line * 100)
    parser.finish()

    assert sum(map(len, read)) < 10 * 100 * 100 * len(line)


@pytest.mark.parametrize("value", ['{"a": [\n1,\n],\n}', '[\n[1, "]"]\n]', "[\n1\n]"])
def test_value_of_several_lines_ends_with_its_last_bracket(value: str) -> None:
    frames = JsonLinesParser().feed(f"{value}\n{value}\n".encode())

    assert frames == [Frame(value.encode())] * 2


@pytest.mark.parametrize("size", [0, 10, PIECE, 2 * PIECE + 10])
@pytest.mark.parametrize("cut", [1, 20, 10_000])
def test_bytes_after_the_end_of_compressed_data_are_ignored(
    size: int, cut: int
) -> None:
    sent = gzip.compress(b"0" * size) + b"more" * 500
    decoder = ContentDecoder("gzip")
    pieces = [*decoder.decode(sent[:cut]), *decoder.decode(sent[cut:])]

    assert b"".join(pieces) == b"0" * size
    assert list(decoder.decode(b"more")) == []
