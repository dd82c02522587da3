"""Fuzz tests: any request is understood, or refused with a documented error.

The inputs are cursors, filters, searches, headers and bodies.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from ipaddress import ip_network

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from host.api.feed_stream import parse_filter
from host.api.guard import Guard
from host.config.access_rules import AccessRules
from host.errors import CursorError
from host.feed.cursor import parse, resolve_start
from host.feed.search import CLOCK_SLACK_S, MAX_CHARS, parse_search
from host.gateway.message_parser import parse_message
from host.gateway.requests import (
    check_version,
    find_public_url,
    parse_last_event_id,
)
from host.gateway.task_list import list_tasks
from host.log.contract import Bounds, Row, place_of
from host.model.board import Board
from host.model.event import MessageEvent, encode
from host.model.timestamps import parse_timestamp, subtract_seconds
from host.observability import trace
from host.observability.logfmt import Line, LogFormatter
from tests.fuzz import hostile
from tests.fuzz.many import fuzz

NAMES = ["agent", "task", "kind", "q", "status", "since", "until", "after", "x"]
STATUS = st.sampled_from(["running", "completed", "", "done"])
queries = st.lists(
    st.tuples(st.sampled_from(NAMES), hostile.text | STATUS), max_size=6
).map(QueryParams)
header_text = st.text(st.characters(max_codepoint=255), max_size=40)


@fuzz(hostile.text | st.from_regex(r"\A[0-9a-z-]{1,30}\Z"))
def test_any_cursor_starts_inside_the_log_or_is_refused(text: str) -> None:
    kept = Bounds("e1", 5, 9)
    try:
        start = resolve_start(parse(text), kept)
    except CursorError as error:
        assert len(str(error)) < 300
        return
    assert kept.first - 1 <= start.cursor <= kept.last


@fuzz(queries)
def test_filter_has_exactly_the_values_of_the_query(query: QueryParams) -> None:
    where = parse_filter(query)

    for name, wanted in where._asdict().items():
        assert wanted == set(query.getlist(name))


@fuzz(queries, hostile.text)
def test_any_search_finds_its_text_or_is_refused(query: QueryParams, text: str) -> None:
    event = MessageEvent(
        agent="carly",
        context_id=None,
        message_id=None,
        message=f"before {text} after",
        received_at="2026-11-23T12:00:00.000Z",
    )
    row = Row(1, place_of(event), encode(event), 1)
    try:
        wanted = parse_search(query)
    except HTTPException as error:
        assert error.status_code == 400
    else:
        for backward in (True, False):
            assert wanted is None or wanted.is_past_range(row, backward=backward) in (
                0,
                1,
            )
    search = parse_search(QueryParams({"q": text[:MAX_CHARS]}))
    assert search is None or search.matches(row), f"{text!r} is not found"


@fuzz(hostile.text | st.datetimes().map(lambda at: f"{at.isoformat()}Z"))
def test_any_timestamp_has_one_format_that_sorts_by_time(text: str) -> None:
    at = parse_timestamp(text)
    if at is None:
        return
    assert len(at) == 24
    assert parse_timestamp(at) == at
    assert len(subtract_seconds(at, CLOCK_SLACK_S)) == 24
    assert subtract_seconds(at, CLOCK_SLACK_S) <= at


def request_with(headers: dict[str, str], query: str = "") -> Request:
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/a2a/carly",
            "query_string": query.encode(),
            "server": ("127.0.0.1", 8000),
            "scheme": "http",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
    )


@fuzz(header_text, header_text)
def test_any_header_is_understood_or_refused(text: str, other: str) -> None:
    headers = {"last-event-id": text, "a2a-version": other, "x-forwarded-host": other}
    request = request_with({**headers, "x-forwarded-prefix": text})
    with suppress(A2AError):
        parse_last_event_id(text)
    with suppress(A2AError):
        check_version(request)
    assert find_public_url(request).isprintable()


@fuzz(header_text | st.from_regex(trace.TRACEPARENT), header_text)
def test_trace_headers_are_forwarded_whole_or_not_at_all(
    parent: str, state: str
) -> None:
    found = trace.parse_trace({"traceparent": parent, "tracestate": state})

    if found:
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", found.parent)
        assert found.state.isascii() and (not found.state or found.state.isprintable())


@fuzz(hostile.text, hostile.json_values, st.sampled_from(["logfmt", "json"]))
def test_any_value_stays_on_one_log_line(text: str, value: object, form: str) -> None:
    record = logging.makeLogRecord({"msg": Line(agent=text, cause=value)})

    assert LogFormatter(form).format(record).isprintable()


@fuzz(header_text, header_text)
def test_guard_admits_no_unknown_host_name(host: str, origin: str) -> None:
    scope = request_with({"host": host, "origin": origin}).scope
    admitted_to = Guard("127.0.0.1", 8000, AccessRules()).check_request(
        scope, unreachable_app
    )

    is_known = host.split(":")[0].lower() in ("127.0.0.1", "localhost", "[")
    assert admitted_to is not unreachable_app or is_known


LOCKED = Guard(
    "0.0.0.0",
    8000,
    AccessRules(token="t" * 32, trusted_proxies=(ip_network("127.0.0.0/8"),)),
)
SENT = [
    "authorization",
    "cookie",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-for",
    "x-forwarded-prefix",
    "origin",
    "sec-fetch-site",
    "accept",
]


@fuzz(
    st.dictionaries(
        st.sampled_from(SENT),
        header_text
        | header_text.map("Bearer {}".format)
        | header_text.map("courtside_8000=operator.9999999999.{}".format),
    )
)
def test_guard_accepts_no_wrong_token(headers: dict[str, str]) -> None:
    scope = request_with({"host": "127.0.0.1", **headers}).scope
    scope["path"] = "/feed"

    assert LOCKED.check_request(scope, unreachable_app) is not unreachable_app


async def unreachable_app(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError


MESSAGES: list[hostile.Json] = [
    {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "x"}]}},
    {"id": "t1", "historyLength": 3, "pageSize": 5, "status": "TASK_STATE_WORKING"},
]


@fuzz(hostile.corrupted(MESSAGES) | hostile.json_values)
def test_any_body_is_understood_or_refused(body: object) -> None:
    for kind in (pb.SendMessageRequest, pb.GetTaskRequest, pb.ListTasksRequest):
        try:
            parse_message(body, kind)
        except A2AError:
            continue


@fuzz(hostile.text, st.integers(-(2**31), 2**31 - 1))
def test_any_page_of_tasks_is_returned_or_refused(token: str, size: int) -> None:
    try:
        page = list_tasks(
            Board(), "carly", pb.ListTasksRequest(page_token=token, page_size=size)
        )
    except A2AError:
        return
    assert b'"tasks":[]' in page


@pytest.mark.parametrize("text", ["0500-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_years_below_1000_sort_by_time(text: str) -> None:
    """Fuzzing found the format 499-12-31, which sorted after all others."""
    at = parse_timestamp(text)

    assert at and subtract_seconds(at, CLOCK_SLACK_S) <= at
