"""Tests how the HTTP bindings read streams: batches of updates, in order and counted.

A server in this process sends the exact bytes of each stream.
"""

from __future__ import annotations

import json
from contextlib import suppress

import anyio
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    InternalError,
    TaskNotFoundError,
)
from hypothesis import given
from hypothesis import strategies as st

from host.clients.bindings.http_transport import HttpResponse
from host.clients.bindings.json_binding import JsonBinding
from host.clients.bindings.json_errors import UpdatesGone
from host.clients.bindings.json_lines import JsonLinesParser
from host.clients.bindings.operations import SUBSCRIBE_TO_TASK
from host.clients.bindings.selection import open_binding
from host.clients.bindings.sse import Frame
from host.clients.bindings.types import Batch, Interface
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from tests.support.binding_server import (
    GONE,
    PROTOCOLS,
    SECRET,
    STATUS,
    TASK,
    UPDATE,
    Json,
    connect_to,
    create_message,
    event,
    open_agent,
    read_batches,
    stream,
)
from tests.support.canned_server import CannedServer, http_response, serve


async def test_updates_that_arrive_together_form_one_batch() -> None:
    (batch,) = await read_batches(event(UPDATE), b": ping\n\n", event({"task": TASK}))
    assert [update.response.task_id for update in batch.updates] == ["t", "t"]
    assert [json.loads(update.raw) for update in batch.updates] == [
        UPDATE,
        {"task": TASK},
    ]
    assert batch.left_out == 0


async def test_batch_has_at_most_100_updates() -> None:
    found = await read_batches(*[event(UPDATE)] * 250)
    assert sum(len(batch.updates) for batch in found) == 250
    assert max(len(batch.updates) for batch in found) <= 100


@pytest.mark.parametrize(
    "unusable",
    [
        b"data: {not json}\n\n",
        b"data: [1]\n\n",
        b'data: {"result": 7}\n\n',
        b'data: {"result": {"task": {}}}\n\n',
        b'data: {"result": %b1%b}\n\n' % (b"[" * 5000, b"]" * 5000),
    ],
)
async def test_unusable_updates_are_counted_in_their_place(unusable: bytes) -> None:
    found = await read_batches(event(UPDATE), unusable, unusable, event(UPDATE))
    assert (
        "".join("u" * len(one.updates) + "-" * one.left_out for one in found) == "u--u"
    )
    reasons = [batch.why for batch in found if batch.left_out]
    assert all(str(why).startswith("bad response: an event is no ") for why in reasons)


async def test_too_large_event_is_counted_with_the_reason() -> None:
    large = b"data: " + b"x" * (5 * 1024 * 1024) + b"\n\n"
    found = await read_batches(event(UPDATE), large, event(UPDATE))
    assert sum(len(batch.updates) for batch in found) == 2
    (left,) = [batch for batch in found if batch.left_out]
    assert left[1:] == (1, "bad response: an event over 4 MiB")


async def test_invalid_utf8_is_replaced_and_not_lost() -> None:
    status = {**STATUS, "contextId": "bad-byte"}
    unusual = event({"statusUpdate": status}).replace(b"bad-byte", b"\xff")
    (batch,) = await read_batches(unusual)
    (update,) = batch.updates
    assert json.loads(update.raw)["statusUpdate"]["contextId"] == "�"
    assert update.response.status_update
    assert update.response.status_update.context_id == "�"


async def test_updates_over_the_rate_limit_are_counted() -> None:
    class Nothing(RateLimiter):
        async def admit(self, count: int) -> int:
            return 0

    agent = CannedServer(stream(event(UPDATE), event(UPDATE)))
    async with serve(agent) as url, connect_to(url) as transport:
        interface = Interface("JSONRPC", "1.0", url)
        binding = open_binding(interface, pb.AgentCard(), transport, Nothing())
        found = [batch async for batch in binding.subscribe("t", None)]
    assert found == [Batch([], 2, "it sends more than 2500 updates a second")]


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (b'data: {"error": {"code": -32001, "message": "no"}}\n\n', TaskNotFoundError),
        (
            b'event: error\ndata: {"error": {"code": -32603}}\n\n',
            InternalError,
        ),
        (b"data: " + json.dumps({"error": GONE}).encode() + b"\n\n", UpdatesGone),
        (b"event: error\ndata: oh no\n\n", AgentUnreachable),
        (b'data: {"error": {"code": 1, "message": "oh"}}\n\n', AgentUnreachable),
        (b'data: {"error": "oh"}\n\n', AgentUnreachable),
    ],
)
async def test_updates_before_an_error_are_delivered(
    last: bytes, kind: type[Exception]
) -> None:
    found = []
    async with open_agent(CannedServer(stream(event(UPDATE), last))) as binding:
        with pytest.raises(kind):
            async for batch in binding.subscribe("t", None):
                found += batch.updates
    assert len(found) == 1


async def test_large_updates_keep_their_order() -> None:
    parts = [{"text": "x" * 300_000}]
    long = {**TASK, "history": [{"messageId": "m", "parts": parts}]}
    unusual = {**TASK, "history": [{"message_id": "m", "parts": parts}]}
    updates: list[Json] = [
        UPDATE,
        {"task": long},
        UPDATE,
        {"task": unusual},
        {"task": {}},
        UPDATE,
    ]
    found = await read_batches(*map(event, updates))
    results = [
        (update.response.task or update.response.status_update).__class__.__name__
        for batch in found
        for update in batch.updates
    ]
    assert results == ["StatusUpdate", "Task", "StatusUpdate", "Task", "StatusUpdate"]
    assert sum(batch.left_out for batch in found) == 1


async def test_update_after_many_comments_is_found() -> None:
    agent = CannedServer(stream(b":\n\n" * 700_000, event(UPDATE)))
    async with open_agent(agent) as binding:
        found = [batch async for batch in binding.subscribe("t", None)]
    assert sum(len(batch.updates) for batch in found) == 1


async def test_short_lines_of_json_are_read_in_small_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    feed = JsonLinesParser.feed

    def note(parser: JsonLinesParser, data: bytes) -> list[Frame]:
        sizes.append(len(data))
        return feed(parser, data)

    monkeypatch.setattr(JsonLinesParser, "feed", note)
    lines = b'{"a": [\n]}\n' * 10_000
    update = json.dumps({"jsonrpc": "2.0", "id": 1, "result": UPDATE}).encode()
    batches = await read_batches(lines, update + b"\n")

    assert sum(sizes) > len(lines)
    assert max(sizes) <= JsonLinesParser.TURN_BYTES
    assert sum(len(batch.updates) for batch in batches) == 1


async def test_json_response_to_a_stream_request_is_one_update() -> None:
    for protocol, body in zip(PROTOCOLS[:2], ({"result": UPDATE}, UPDATE), strict=True):
        agent = CannedServer(http_response(json.dumps(body).encode()))
        async with open_agent(agent, *protocol) as binding:
            (batch,) = [
                batch async for batch in binding.send(create_message(), streaming=True)
            ]
        assert [json.loads(update.raw) for update in batch.updates] == [UPDATE]


async def test_secret_in_an_unusable_update_is_redacted() -> None:
    unusual = b'data: {"result": {"%b": 1}}\n\n' % SECRET.encode()
    (batch,) = await read_batches(unusual)
    assert batch.why and SECRET not in batch.why


BODIES = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text("a1"), st.floats()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "result",
                        "error",
                        "code",
                        "data",
                        "details",
                        "message",
                        "task",
                        "statusUpdate",
                        "kind",
                        "id",
                        "type",
                        "status",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
    ).map(lambda body: json.dumps(body).encode()),
)


@given(
    BODIES, st.sampled_from(PROTOCOLS), st.booleans(), st.sampled_from([400, 404, 500])
)
def test_any_response_is_an_update_an_error_or_unusable(
    body: bytes, protocol: tuple[str, str], is_error: bool, status: int
) -> None:
    async def read() -> None:
        async with connect_to("http://127.0.0.1:1") as transport:
            interface = Interface(*protocol, "http://127.0.0.1:1")
            binding = open_binding(interface, pb.AgentCard(), transport, RateLimiter())
            assert isinstance(binding, JsonBinding)
            with suppress(ValueError, A2AError):
                binding._read(
                    SUBSCRIBE_TO_TASK, Frame(body, b"error" if is_error else b"")
                )
            refusal = binding._error(
                SUBSCRIBE_TO_TASK,
                HttpResponse(status, transport.call_client.headers, body),
            )
            allowed = pytest.raises((A2AError, AgentUnreachable))
            with allowed, transport.map_errors("GetTask", "x"):
                raise refusal

    anyio.run(read)
