"""Tests how the HTTP bindings read responses: batches of updates, or errors.

A server in this process sends the exact bytes of each case.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    InternalError,
    MethodNotFoundError,
    TaskNotFoundError,
)
from hypothesis import given
from hypothesis import strategies as st

from host.clients.bindings.a2a_errors import UpdatesGone
from host.clients.bindings.base import Binding
from host.clients.bindings.error_mapping import CARD, describe_cause
from host.clients.bindings.http_binding import HttpBinding
from host.clients.bindings.http_transport import HttpResponse, HttpTransport
from host.clients.bindings.operations import SUBSCRIBE_TO_TASK
from host.clients.bindings.selection import open_binding
from host.clients.bindings.sse import Frame
from host.clients.bindings.types import Batch, Interface, Query, UnsupportedInterface
from host.clients.credentials import Credentials
from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings, CredentialSettings
from host.errors import AgentUnreachable
from host.protocol.a2a_objects import RESUMABLE
from tests.support.canned_server import CannedServer, http_response, serve

Json = dict[str, Any]

PROTOCOLS = [
    ("JSONRPC", "1.0"),
    ("HTTP+JSON", "1.0"),
    ("JSONRPC", "0.3"),
    ("HTTP+JSON", "0.3"),
]
SECRET = "s3cret-of-the-host"
SSE = "text/event-stream"
STATUS = {"taskId": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
UPDATE = {"statusUpdate": STATUS}
TASK = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
GONE = {
    "code": -31410,
    "message": "gone",
    "data": [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "UPDATES_GONE",
            "metadata": {"oldest": "2", "newest": "9"},
        }
    ],
}


def event(result: Json) -> bytes:
    return b"data: " + json.dumps({"result": result}).encode() + b"\n\n"


def stream(*events: bytes) -> bytes:
    return http_response(b"".join(events), SSE)


def message() -> pb.SendMessageRequest:
    parts = [pb.Part(text="hello")]
    mine = pb.Message(message_id=uuid.uuid4().hex, role=pb.ROLE_USER, parts=parts)
    return pb.SendMessageRequest(message=mine)


@asynccontextmanager
async def connected_to(url: str) -> AsyncIterator[HttpTransport]:
    settings = AgentSettings(url, credentials=CredentialSettings(bearer=SECRET))
    async with HttpTransport("scenario", Credentials(settings)) as transport:
        yield transport


@asynccontextmanager
async def open_agent(
    agent: CannedServer,
    binding: str = "JSONRPC",
    version: str = "1.0",
    card: pb.AgentCard | None = None,
    tenant: str = "",
) -> AsyncIterator[Binding]:
    async with serve(agent) as url, connected_to(url) as transport:
        interface = Interface(binding, version, url, tenant)
        async with open_binding(
            interface, card or pb.AgentCard(), transport, RateLimiter()
        ) as opened:
            yield opened


async def batches(*events: bytes) -> list[Batch]:
    """Return the batches of a JSON-RPC stream of those events."""
    async with open_agent(CannedServer(stream(*events))) as binding:
        return [batch async for batch in binding.subscribe("t", None)]


async def cause(answer: bytes, protocol: tuple[str, str]) -> str:
    """Return why an agent with that response to a subscription is unreachable."""
    async with open_agent(CannedServer(answer), *protocol) as binding:
        with pytest.raises(AgentUnreachable) as raised:
            async for _ in binding.subscribe("t", None):
                pass
    return str(raised.value)


async def test_updates_that_arrive_together_form_one_batch() -> None:
    (batch,) = await batches(event(UPDATE), b": ping\n\n", event({"task": TASK}))
    assert [update.response.task_id for update in batch.updates] == ["t", "t"]
    assert [json.loads(update.raw) for update in batch.updates] == [
        UPDATE,
        {"task": TASK},
    ]
    assert batch.left_out == 0


async def test_batch_has_at_most_100_updates() -> None:
    found = await batches(*[event(UPDATE)] * 250)
    assert sum(len(batch.updates) for batch in found) == 250
    assert max(len(batch.updates) for batch in found) <= 100


@pytest.mark.parametrize(
    "unusable",
    [
        b"data: {not json}\n\n",
        b"data: []\n\n",
        b'data: {"result": null}\n\n',
        b'data: {"result": {"task": {}}}\n\n',
        b'data: {"result": %b1%b}\n\n' % (b"[" * 5000, b"]" * 5000),
    ],
)
async def test_unusable_updates_are_counted_in_their_place(unusable: bytes) -> None:
    found = await batches(event(UPDATE), unusable, unusable, event(UPDATE))
    told = [(len(batch.updates), batch.left_out) for batch in found]
    assert told == [(1, 2), (1, 0)]
    assert found[0].why and found[0].why.startswith("bad response: an event is no ")


async def test_too_large_event_is_counted_with_the_reason() -> None:
    large = b"data: " + b"x" * (5 * 1024 * 1024) + b"\n\n"
    found = await batches(event(UPDATE), large, event(UPDATE))
    assert sum(len(batch.updates) for batch in found) == 2
    (left,) = [batch for batch in found if batch.left_out]
    assert left[1:] == (1, "bad response: an event over 4 MiB")


async def test_invalid_utf8_is_replaced_and_not_lost() -> None:
    status = {**STATUS, "contextId": "bad-byte"}
    odd = event({"statusUpdate": status}).replace(b"bad-byte", b"\xff")
    (batch,) = await batches(odd)
    (update,) = batch.updates
    assert json.loads(update.raw)["statusUpdate"]["contextId"] == "�"
    assert update.response.status_update
    assert update.response.status_update.context_id == "�"


async def test_updates_over_the_rate_limit_are_counted() -> None:
    class Nothing(RateLimiter):
        async def admit(self, count: int) -> int:
            return 0

    agent = CannedServer(stream(event(UPDATE), event(UPDATE)))
    async with serve(agent) as url, connected_to(url) as transport:
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
    long = {**TASK, "history": [{"messageId": "m" * 300_000}]}
    odd = {**TASK, "history": [{"message_id": "m" * 300_000}]}
    updates: list[Json] = [
        UPDATE,
        {"task": long},
        UPDATE,
        {"task": odd},
        {"task": {}},
        UPDATE,
    ]
    found = await batches(*map(event, updates))
    told = [
        (update.response.task or update.response.status_update).__class__.__name__
        for batch in found
        for update in batch.updates
    ]
    assert told == ["StatusUpdate", "Task", "StatusUpdate", "Task", "StatusUpdate"]
    assert sum(batch.left_out for batch in found) == 1


async def test_update_after_many_comments_is_found() -> None:
    agent = CannedServer(stream(b":\n\n" * 700_000, event(UPDATE)))
    async with open_agent(agent) as binding:
        found = [batch async for batch in binding.subscribe("t", None)]
    assert sum(len(batch.updates) for batch in found) == 1


async def test_reach_accepts_any_response_of_the_agent() -> None:
    moved = b"HTTP/1.1 307 X\r\nLocation: /x/\r\nContent-Length: 0\r\n\r\n"
    for answer in (
        http_response(b"", status=405),
        http_response(b"", status=500),
        moved,
    ):
        async with open_agent(CannedServer(answer)) as binding:
            await binding.reach()
    for status in (401, 403, 502, 503):
        async with open_agent(
            CannedServer(http_response(b"", status=status))
        ) as binding:
            with pytest.raises(AgentUnreachable, match=f"HTTP {status}"):
                await binding.reach()


async def test_updates_gone_has_the_available_numbers() -> None:
    refusal = http_response(json.dumps({"error": GONE}).encode())
    async with open_agent(CannedServer(refusal)) as binding:
        with pytest.raises(UpdatesGone) as raised:
            await anext(binding.subscribe("t", 1))
    assert raised.value.data == {"oldest": "2", "newest": "9"}


async def test_json_response_to_a_stream_request_is_one_update() -> None:
    for protocol, body in zip(PROTOCOLS[:2], ({"result": UPDATE}, UPDATE), strict=True):
        agent = CannedServer(http_response(json.dumps(body).encode()))
        async with open_agent(agent, *protocol) as binding:
            (batch,) = [
                batch async for batch in binding.send(message(), streaming=True)
            ]
        assert [json.loads(update.raw) for update in batch.updates] == [UPDATE]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_invalid_response_makes_the_agent_unreachable_with_the_cause(
    protocol: tuple[str, str],
) -> None:
    for answer, words in {
        http_response(b"<html>", "text/html"): "bad response: text/html",
        http_response(b"", SSE, 500): "HTTP 500",
        http_response(b"no", "text/plain", 403): "HTTP 403",
        http_response(b"x" * 9 * 1024 * 1024): "too large: over 8 MiB",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n": "encoded as gzip",
        b"HTTP/1.1 302 X\r\nLocation: https://evil.example/x\r\n\r\n": (
            "HTTP 302: it redirects to https://evil.example"
        ),
        b"HTTP/1.1 302 X\r\nLocation: http://[::\r\n\r\n": "Invalid URL in location",
        b"": "connection broken: ",
        b"SSH-2.0 hello\r\n\r\n": "connection broken: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: "
        b"text/event-stream\r\n\r\ndata:": "connection broken: ",
    }.items():
        said = await cause(answer, protocol)
        assert words in said
        assert "scenario, SubscribeToTask at http://127.0.0.1" in said


async def test_cause_distinguishes_refused_connection_and_unknown_host() -> None:
    async with connected_to("http://127.0.0.1:1") as transport:
        for url, words in {
            "http://127.0.0.1:1/": "connection refused",
            "http://nobody.invalid/": "DNS: no such host",
            "ftp://127.0.0.1/": "bad URL: ",
            "http://[::": "bad URL: ",
            "nonsense": "bad URL: ",
        }.items():
            interface = Interface("JSONRPC", "1.0", url)
            async with open_binding(
                interface, pb.AgentCard(), transport, RateLimiter()
            ) as binding:
                with pytest.raises(AgentUnreachable, match=words):
                    await binding.reach()
                with pytest.raises(AgentUnreachable, match=words):
                    await binding.get_task("t")


async def test_cause_names_tls_if_the_server_has_none() -> None:
    agent = CannedServer(http_response(b""))
    agent.sends_first = True
    async with serve(agent) as url, connected_to(url) as transport:
        secure = url.replace("http:", "https:")
        interface = Interface("JSONRPC", "1.0", secure)
        async with open_binding(
            interface, pb.AgentCard(), transport, RateLimiter()
        ) as binding:
            with pytest.raises(AgentUnreachable, match="TLS: "):
                await binding.reach()


async def test_slow_response_ends_at_the_deadline() -> None:
    agent = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    agent.keeps_open = True
    async with serve(agent) as url, connected_to(url) as transport:
        timeout = pytest.raises(AgentUnreachable, match="timeout: no response in time")
        with timeout, transport.map_errors("GetTask", url):
            await transport.call(
                transport.call_client.build_request("GET", url), deadline_s=0.1
            )


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_bare_404_means_missing_operation_or_task(
    protocol: tuple[str, str],
) -> None:
    async with open_agent(
        CannedServer(http_response(b"", status=404)), *protocol
    ) as binding:
        if protocol[0] == "JSONRPC":
            with pytest.raises(AgentUnreachable, match="HTTP 404"):
                await binding.cancel("t")
        else:
            with pytest.raises(TaskNotFoundError):
                await binding.get_task("t")
            with pytest.raises(MethodNotFoundError):
                await binding.cancel("t")
            with pytest.raises(MethodNotFoundError):
                await anext(binding.subscribe("t", None))


async def test_error_is_read_with_any_http_status() -> None:
    rpc = http_response(b'{"error": {"code": -32001, "message": "x"}}', status=500)
    async with open_agent(CannedServer(rpc)) as binding:
        with pytest.raises(TaskNotFoundError):
            await binding.get_task("t")
    for body in (
        {"error": {"code": 410, "details": GONE["data"]}},
        {"type": "https://a2a-protocol.org/errors/updates-gone", "title": "x"},
        {"code": -31410, "message": "x"},
    ):
        gone = http_response(json.dumps(body).encode(), status=410)
        async with open_agent(CannedServer(gone), "HTTP+JSON") as binding:
            with pytest.raises(UpdatesGone):
                await anext(binding.subscribe("t", 1))


async def test_subscribe_uses_get_if_the_agent_accepts_only_get() -> None:
    refused = http_response(b"", status=405)
    events = http_response(b"data: " + json.dumps(UPDATE).encode() + b"\n\n", SSE)
    agent = CannedServer(refused, events)
    async with open_agent(agent, "HTTP+JSON") as binding:
        for _ in range(2):
            found = [batch async for batch in binding.subscribe("t/1", None)]
            assert len(found[0].updates) == 1
    asked = [head.partition(" http")[0] for head in agent.heads]
    get = "get /tasks/t%2f1:subscribe"
    assert asked == ["post /tasks/t%2f1:subscribe", get, get]


async def test_subscribe_sends_last_event_id_and_the_extension() -> None:
    extension = pb.AgentExtension(uri=RESUMABLE)
    card = pb.AgentCard(capabilities=pb.AgentCapabilities(extensions=[extension]))
    for binding_name, version in PROTOCOLS:
        agent = CannedServer(stream())
        async with open_agent(agent, binding_name, version, card) as binding:
            assert [batch async for batch in binding.subscribe("t", 7)] == []
        (head,) = agent.heads
        assert "\r\nlast-event-id: 7\r\n" in head
        assert f"\r\na2a-version: {version}\r\n" in head
        assert f"\r\na2a-extensions: {RESUMABLE}\r\n" in head
        assert f"\r\nauthorization: bearer {SECRET}\r\n" in head


async def test_unary_message_requests_an_immediate_return() -> None:
    answer = http_response(json.dumps({"result": {"task": TASK}}).encode())
    agent = CannedServer(answer)
    async with open_agent(agent, tenant="blue") as binding:
        (batch,) = [batch async for batch in binding.send(message(), streaming=False)]
    assert batch.updates[0].response.task_id == "t"
    params = agent.bodies[0]["params"]
    assert params["configuration"]["returnImmediately"] is True
    assert params["tenant"] == "blue"
    old = http_response(
        b'{"result": {"kind": "task", "id": "t", "status": {"state": "x"}}}'
    )
    agent = CannedServer(old)
    async with open_agent(agent, "JSONRPC", "0.3") as binding:
        (batch,) = [batch async for batch in binding.send(message(), streaming=False)]
    assert agent.bodies[0]["params"]["configuration"]["blocking"] is False
    assert batch.updates[0].response.task_id == "t"


async def test_list_tasks_requests_no_history_and_reads_pages() -> None:
    page = {"tasks": [{**TASK, "unknown": 1}], "nextPageToken": "more"}
    query = Query("2026-11-22T12:00:00Z", "TASK_STATE_WORKING", 7, "token")
    agent = CannedServer(http_response(json.dumps({"result": page}).encode()))
    async with open_agent(agent) as binding:
        found = await binding.list_tasks(query)
    assert (found.tasks[0].task_id, found.next_token) == ("t", "more")
    assert agent.bodies[0]["params"] == {
        "pageSize": 7,
        "historyLength": 0,
        "statusTimestampAfter": "2026-11-22T12:00:00Z",
        "status": "TASK_STATE_WORKING",
        "pageToken": "token",
    }


@pytest.mark.parametrize("wrapper", [None, "task", "result"])
async def test_wrapped_task_is_read(wrapper: str | None) -> None:
    body = {wrapper: TASK} if wrapper else TASK
    async with open_agent(
        CannedServer(http_response(json.dumps(body).encode())), "HTTP+JSON"
    ) as binding:
        for call in (binding.get_task, binding.cancel):
            update = await call("t")
            assert update.response.task and update.response.task.id == "t"
            assert json.loads(update.raw) == {"task": TASK}


async def test_secret_in_an_agents_error_is_redacted() -> None:
    for body in (
        {"error": {"code": -32603, "message": f"bad token {SECRET}"}},
        {"error": {"code": 7, "message": f"bad token {SECRET}"}},
    ):
        async with open_agent(
            CannedServer(http_response(json.dumps(body).encode()))
        ) as binding:
            with pytest.raises((A2AError, AgentUnreachable)) as raised:
                await binding.get_task("t")
            assert SECRET not in str(raised.value)
            assert "[credential]" in str(raised.value)


async def test_secret_in_an_unusable_update_is_redacted() -> None:
    odd = b'data: {"result": {"%b": 1}}\n\n' % SECRET.encode()
    (batch,) = await batches(odd)
    assert batch.why and SECRET not in batch.why


async def test_invalid_task_id_raises_agent_unreachable() -> None:
    for protocol in PROTOCOLS:
        async with open_agent(CannedServer(stream()), *protocol) as binding:
            with pytest.raises(AgentUnreachable):
                await binding.get_task("\ud800")
            with pytest.raises(AgentUnreachable):
                await anext(binding.subscribe("\ud800", None))


async def test_closing_a_stream_closes_its_connection() -> None:
    agent = CannedServer(stream(event(UPDATE)).replace(b"Content-Length: ", b"X: "))
    agent.keeps_open = True
    async with open_agent(agent) as binding:
        async with aclosing(binding.subscribe("t", None)) as updates:
            await anext(updates)
            assert not agent.client_left.is_set()
        with anyio.fail_after(2):
            await agent.client_left.wait()


async def test_open_stream_fails_when_the_binding_closes() -> None:
    agent = CannedServer(stream(event(UPDATE)).replace(b"Content-Length: ", b"X: "))
    agent.keeps_open = True
    told: list[str] = []

    async def read(binding: Binding, begun: anyio.Event) -> None:
        try:
            async for _ in binding.subscribe("t", None):
                begun.set()
        except AgentUnreachable as error:
            told.append(str(error))

    async with anyio.create_task_group() as readers:
        async with open_agent(agent) as binding:
            begun = anyio.Event()
            readers.start_soon(read, binding, begun)
            await begun.wait()
        with pytest.raises(AgentUnreachable):
            await binding.get_task("t")
        with pytest.raises(AgentUnreachable):
            await anext(binding.subscribe("t", None))
    assert "connection broken: it was closed" in told[0]


async def test_unsupported_interface_is_named_in_the_error() -> None:
    async with connected_to("http://127.0.0.1:1") as transport:
        for binding, version in (("SOAP", "1.0"), ("JSONRPC", "7.1")):
            interface = Interface(binding, version, "http://127.0.0.1:1")
            with pytest.raises(UnsupportedInterface, match=f"{binding} {version}"):
                open_binding(interface, pb.AgentCard(), transport, RateLimiter())


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
        async with connected_to("http://127.0.0.1:1") as transport:
            interface = Interface(*protocol, "http://127.0.0.1:1")
            binding = open_binding(interface, pb.AgentCard(), transport, RateLimiter())
            assert isinstance(binding, HttpBinding)
            with suppress(ValueError, A2AError):
                binding._read(SUBSCRIBE_TO_TASK, Frame(body, is_error))
            refusal = binding._error(
                SUBSCRIBE_TO_TASK,
                HttpResponse(status, transport.call_client.headers, body),
            )
            allowed = pytest.raises((A2AError, AgentUnreachable))
            with allowed, transport.map_errors("GetTask", "x"):
                raise refusal

    anyio.run(read)


def test_connection_reset_while_opening_is_not_a_bad_card() -> None:
    """Then anyio asks a closed socket for its address."""
    gone: Any = None
    try:
        gone.getpeername()
    except AttributeError as error:
        assert describe_cause(error, CARD) == "connection broken: it was closed"
