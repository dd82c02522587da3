"""Tests of GET /feed.ndjson?q=…&status=…&since=…&until=… over a log in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from host.api.history import NEXT, HistoryApi
from host.feed import search
from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.model.event import Event, MessageEvent
from tests.support import long_history

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
TASKS = 200
Json = dict[str, Any]


def entries() -> list[Entry]:
    versions: dict[str, int] = {}
    made = []
    for task_id, event in long_history.events(TASKS, START, apart_s=60):
        versions[task_id] = versions.get(task_id, 0) + 1
        made.append(Entry.of(task_id, versions[task_id], event))
    return made


async def client_of(entries: list[Entry]) -> httpx.AsyncClient:
    log = MemoryLog()
    await log.append(entries)
    feed = Feed(log)
    await feed.open()
    app = Starlette(routes=HistoryApi(feed).routes())
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with await client_of(entries()) as client:
        yield client


async def lines(http: httpx.AsyncClient, **query: Any) -> list[Json]:
    answer = await http.get("/feed.ndjson", params=query)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_text_search_ignores_case(
    http: httpx.AsyncClient,
) -> None:
    for q in ("rain at seven", "RAIN AT", "Rain"):
        found = await lines(http, q=q)
        assert {event["task_id"] for event in found} == {
            f"past-{n:05d}" for n in range(0, TASKS, long_history.RAIN)
        }
        assert {event["message"] for event in found} == {"Rain at seven"}


async def test_text_search_covers_artifacts_and_ids(http: httpx.AsyncClient) -> None:
    [artifact] = await lines(http, q="answer 123")
    assert artifact["parts"] == [{"text": "Answer 123"}]
    assert len(await lines(http, q="past-00042")) == 5


@pytest.mark.parametrize(
    "q", ["message", "task_id", "TASK_STATE", "artifact_id", "2026-11"]
)
async def test_text_search_ignores_field_names(http: httpx.AsyncClient, q: str) -> None:
    assert await lines(http, q=q) == []


@pytest.mark.parametrize("text", ['He said "no"\n', "Straße Ünïcode", "a\\b", "日本"])
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
async def test_text_search_finds_quotes_and_unicode(text: str, change: Any) -> None:
    event: Event = MessageEvent(
        agent="carly",
        context_id=None,
        message_id=None,
        message=f"Well. {text}!",
        received_at=long_history.format_timestamp(START),
    )
    async with await client_of([Entry.of("carly", 1, event)]) as http:
        assert len(await lines(http, q=change(text), limit=9)) == 1


async def test_status_search_finds_tasks(http: httpx.AsyncClient) -> None:
    failed = await lines(http, status="error")
    assert {event["task_id"] for event in failed} == {
        f"past-{n:05d}" for n in range(0, TASKS, 7)
    }
    both = await lines(http, status=["error", "cancelled"])
    assert {event["status"] for event in both} == {"error", "cancelled"}


async def test_time_range_includes_both_ends(http: httpx.AsyncClient) -> None:
    since, until = "2026-11-22T12:10:00.000Z", "2026-11-22T12:12:00Z"
    found = await lines(http, since=since, until=until, limit=500)
    assert found[0]["received_at"] == since
    assert found[-1]["received_at"] == "2026-11-22T12:12:00.000Z"
    every = await lines(http)
    assert found == [
        event
        for event in every
        if since <= event["received_at"] <= "2026-11-22T12:12:00.000Z"
    ]


async def test_all_conditions_must_match(
    http: httpx.AsyncClient,
) -> None:
    found = await lines(
        http, q="rain", status="running", agent=["walter", "carly"], limit=99
    )
    assert found == [
        event
        for event in await lines(http, agent=["carly", "walter"])
        if event.get("status") == "running" and "Rain" in event["message"]
    ]
    assert found
    assert await lines(http, q="rain", kind="artifact") == []


@pytest.mark.parametrize("direction", ["before", "after"])
async def test_request_scans_a_limited_part_and_the_next_one_continues(
    http: httpx.AsyncClient, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 20)
    monkeypatch.setattr(search, "MAX_SCANNED", 100)
    found: list[Json] = []
    query: Json = {"q": "rain", "limit": 3}
    at = "0" if direction == "after" else None
    requests = 0
    while requests == 0 or at is not None:
        if at is not None:
            query[direction] = at
        answer = await http.get("/feed.ndjson", params=query)
        some = [json.loads(line) for line in answer.text.splitlines()]
        assert len(some) <= 3
        found = [*found, *some] if direction == "after" else [*some, *found]
        at = answer.headers.get(NEXT)
        requests += 1
    assert requests >= 10
    assert found == await lines(http, q="rain")


async def test_search_stops_at_the_end_of_its_time_range(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 20)
    monkeypatch.setattr(search, "MAX_SCANNED", 400)
    late: Json = {"q": "nowhere", "since": "2026-11-22T15:18:00Z", "limit": 5}
    assert NEXT not in (await http.get("/feed.ndjson", params=late)).headers
    early: Json = {
        "q": "nowhere",
        "until": "2026-11-22T12:01:00Z",
        "after": 0,
        "limit": 5,
    }
    assert NEXT not in (await http.get("/feed.ndjson", params=early)).headers
    open_end: Json = {"q": "nowhere", "limit": 5}
    assert NEXT in (await http.get("/feed.ndjson", params=open_end)).headers


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("q=" + "x" * 201, "q has 201 characters; the limit is 200"),
        ("status=done", "'done' is unknown; use one of auth-required, cancelled"),
        ("since=yesterday", "'yesterday' is not a time; use 2026-11-22T12:00:00Z"),
        ("until=12", "until='12' is not a time"),
    ],
)
async def test_invalid_search_is_refused_with_the_reason(
    http: httpx.AsyncClient, query: str, why: str
) -> None:
    answer = await http.get(f"/feed.ndjson?{query}")
    assert answer.status_code == 400
    assert why in answer.text
