"""A request's trace reaches the agent behind the host, and an OTLP collector.

The agent records its request headers, and the collector records its spans.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.harness import END_S, NO_TLS, Process
from tests.support.http_requests import start_request
from tests.support.raw_agent import card
from tests.support.reply_server import ReceivedRequest, Reply, ReplyServer, reply_server
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"
JSON = {"content-type": "application/json"}
Json = dict[str, Any]


def answer(seen: ReceivedRequest) -> Reply:
    """Respond as an agent that sends a message, and as a collector."""
    if seen.target.startswith("/.well-known/"):
        url = f"http://{seen.headers['host']}/a2a"
        return Reply(body=json.dumps(card("Echo", url, streaming=False)))
    if seen.target == "/v1/traces" or not seen.body:
        return Reply()
    call = json.loads(seen.body)
    message = {"messageId": "m1", "role": "ROLE_AGENT", "parts": [{"text": "Hello."}]}
    tasks: Json = {"tasks": []}
    result = tasks if call["method"] == "ListTasks" else {"message": message}
    body = {"jsonrpc": "2.0", "id": call["id"], "result": result}
    return Reply(body=json.dumps(body), headers=JSON)


@pytest.fixture(scope="module")
def agent() -> Iterator[ReplyServer]:
    with reply_server(answer) as server:
        yield server


def host_with(folder: Path, agent: ReplyServer, **env: str) -> Stack:
    stack = Stack(folder, (), extra_agents={"echo": agent.url})
    stack.host.env |= env
    return stack


def send(stack: Stack, path: str = "/a2a/echo/message:send", **headers: str) -> None:
    stack.wait_connected("echo")
    httpx.post(
        f"{stack.url}{path}",
        json=start_request("hello"),
        headers=headers,
        trust_env=False,
        verify=NO_TLS,
    ).raise_for_status()


def last_headers(agent: ReplyServer) -> dict[str, str]:
    """Return the headers of the last message to the agent."""
    return next(
        seen.headers
        for seen in reversed(agent.requests)
        if '"SendMessage"' in seen.body
    )


@pytest.fixture(scope="module")
def traced(
    tmp_path_factory: pytest.TempPathFactory, agent: ReplyServer
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("traced")
    with host_with(folder, agent, COURTSIDE_TRACE="on") as stack:
        yield stack


class TestTraceContext:
    def test_of_the_caller_reaches_the_agent(
        self, traced: Stack, agent: ReplyServer
    ) -> None:
        send(traced, traceparent=CALLER, tracestate="vendor=1")

        got = last_headers(agent)
        assert (got["traceparent"], got["tracestate"]) == (CALLER, "vendor=1")

    @pytest.mark.parametrize(
        "sent", ["", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", f"{CALLER}-more"]
    )
    def test_is_new_if_the_caller_sends_none(
        self, traced: Stack, agent: ReplyServer, sent: str
    ) -> None:
        send(traced, traceparent=sent, tracestate="vendor=1")

        got = last_headers(agent)
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", got["traceparent"])
        assert TRACE not in got["traceparent"]
        assert "tracestate" not in got

    def test_is_not_on_other_requests(self, traced: Stack, agent: ReplyServer) -> None:
        send(traced, traceparent=CALLER)

        listings = [seen for seen in agent.requests if '"ListTasks"' in seen.body]
        assert listings
        assert not any("traceparent" in seen.headers for seen in listings)


def test_agent_gets_no_trace_without_the_setting(
    tmp_path: Path, agent: ReplyServer
) -> None:
    with host_with(tmp_path, agent) as stack:
        send(stack, traceparent=CALLER)

    assert "traceparent" not in last_headers(agent)


def spans_of(collector: ReplyServer) -> list[Span]:
    exports = [seen for seen in collector.requests if seen.target == "/v1/traces"]
    requests = (
        ExportTraceServiceRequest.FromString(
            seen.body.encode("utf-8", "surrogateescape")
        )
        for seen in exports
    )
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_spans_reach_the_configured_collector(
    tmp_path: Path, agent: ReplyServer
) -> None:
    with reply_server(answer) as collector:
        env = {
            "COURTSIDE_TRACE": "on",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with host_with(tmp_path, agent, **env) as stack:
            send(stack, traceparent=CALLER)
            wait_until_sync(lambda: spans_of(collector), "a span", 30)
            got = last_headers(agent)["traceparent"]

    (span,) = spans_of(collector)
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    assert got == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert span.name == "POST /a2a/{agent}"
    about = {one.key: one.value for one in span.attributes}
    assert about["http.response.status_code"].int_value == 200
    assert about["courtside.agent"].string_value == "echo"


def test_missing_collector_delays_neither_a_request_nor_the_end(
    tmp_path: Path, agent: ReplyServer
) -> None:
    env = {"COURTSIDE_TRACE": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with host_with(tmp_path, agent, **env) as stack:
        send(stack, traceparent=CALLER)
        stack.host.terminate(END_S)

    assert TRACE in last_headers(agent)["traceparent"]


def test_missing_opentelemetry_is_reported_with_the_install_command(
    tmp_path: Path,
) -> None:
    """None in sys.modules makes the import of a module fail."""
    script = (
        "import sys; sys.modules['opentelemetry'] = None; import host.__main__ as m"
    )
    process = Process(
        "host",
        [sys.executable, "-c", f"{script}; m.main()"],
        folder=tmp_path,
        env={
            "COURTSIDE_TRACE": "on",
            "COURTSIDE_DATA_DIR": str(tmp_path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        },
    )
    process.start()

    assert process.wait_end(30) == 1
    # More lines follow: this patched Python complains about the log's lock.
    line = process.output().splitlines()[0]
    assert line.startswith("courtside: trace: ")
    assert "pip install 'courtside[otel]'" in line
