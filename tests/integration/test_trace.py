"""A request's trace reaches the agent behind the host, and OpenTelemetry's collector.

By the wire: an agent that keeps the headers it is sent, a collector that takes OTLP.
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

from tests.support.harness import NO_TLS, Process, Stack, wait_until
from tests.support.http_requests import start_request
from tests.support.locked_agent import Locked, Reply, Seen, locked
from tests.support.raw_agent import card

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"
JSON = {"content-type": "application/json"}
Json = dict[str, Any]


def answer(seen: Seen) -> Reply:
    """An agent that answers with a message, and a collector."""
    if seen.target.startswith("/.well-known/"):
        url = f"http://{seen.headers['host']}/a2a"
        return Reply(body=json.dumps(card("Echo", url, streaming=False)))
    if seen.target == "/v1/traces" or not seen.body:
        return Reply()
    call = json.loads(seen.body)
    said = {"messageId": "m1", "role": "ROLE_AGENT", "parts": [{"text": "Hello."}]}
    tasks: Json = {"tasks": []}
    result = tasks if call["method"] == "ListTasks" else {"message": said}
    body = {"jsonrpc": "2.0", "id": call["id"], "result": result}
    return Reply(body=json.dumps(body), headers=JSON)


@pytest.fixture(scope="module")
def agent() -> Iterator[Locked]:
    with locked(answer) as server:
        yield server


def host_with(folder: Path, agent: Locked, **env: str) -> Stack:
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


def sent_down(agent: Locked) -> dict[str, str]:
    """The headers of the last message that the agent got."""
    return next(
        seen.headers for seen in reversed(agent.seen) if '"SendMessage"' in seen.body
    )


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, agent: Locked) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("traced")
    with host_with(folder, agent, COURTSIDE_TRACE="on") as stack:
        yield stack


class TestPassedOn:
    def test_is_the_trace_that_the_caller_sent(
        self, traced: Stack, agent: Locked
    ) -> None:
        send(traced, traceparent=CALLER, tracestate="vendor=1")

        got = sent_down(agent)
        assert (got["traceparent"], got["tracestate"]) == (CALLER, "vendor=1")

    @pytest.mark.parametrize(
        "sent", ["", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", f"{CALLER}-more"]
    )
    def test_is_a_new_one_where_that_is_none(
        self, traced: Stack, agent: Locked, sent: str
    ) -> None:
        send(traced, traceparent=sent, tracestate="vendor=1")

        got = sent_down(agent)
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", got["traceparent"])
        assert TRACE not in got["traceparent"]
        assert "tracestate" not in got

    def test_belongs_to_no_request_but_that_ones(
        self, traced: Stack, agent: Locked
    ) -> None:
        send(traced, traceparent=CALLER)

        listings = [seen for seen in agent.seen if '"ListTasks"' in seen.body]
        assert listings
        assert not any("traceparent" in seen.headers for seen in listings)


def test_nothing_is_passed_on_without_the_setting(
    tmp_path: Path, agent: Locked
) -> None:
    with host_with(tmp_path, agent) as stack:
        send(stack, traceparent=CALLER)

    assert "traceparent" not in sent_down(agent)


def spans_of(collector: Locked) -> list[Span]:
    told = [seen for seen in collector.seen if seen.target == "/v1/traces"]
    requests = (
        ExportTraceServiceRequest.FromString(
            seen.body.encode("utf-8", "surrogateescape")
        )
        for seen in told
    )
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_spans_go_to_the_collector_that_opentelemetry_names(
    tmp_path: Path, agent: Locked
) -> None:
    with locked(answer) as collector:
        env = {
            "COURTSIDE_TRACE": "on",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with host_with(tmp_path, agent, **env) as stack:
            send(stack, traceparent=CALLER)
            wait_until(lambda: spans_of(collector), 10, "a span")
            got = sent_down(agent)["traceparent"]

    (span,) = spans_of(collector)
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    assert got == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert span.name == "POST /a2a/{agent}"
    about = {one.key: one.value for one in span.attributes}
    assert about["http.response.status_code"].int_value == 200
    assert about["courtside.agent"].string_value == "echo"


def test_a_collector_that_is_not_there_keeps_nobody(
    tmp_path: Path, agent: Locked
) -> None:
    """Not the caller, and not the end of the host."""
    env = {"COURTSIDE_TRACE": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with host_with(tmp_path, agent, **env) as stack:
        send(stack, traceparent=CALLER)
        stack.host.terminate()

    assert TRACE in sent_down(agent)["traceparent"]


def test_spans_without_opentelemetry_stop_the_start_with_what_to_install(
    tmp_path: Path,
) -> None:
    """None in sys.modules is how Python says that a module cannot be imported."""
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

    assert process.wait_end(10) == 1
    # Behind it Python complains of the log's lock, as nobody else's Python does.
    line = process.output().splitlines()[0]
    assert line.startswith("courtside: trace: ")
    assert "pip install 'courtside[otel]'" in line
