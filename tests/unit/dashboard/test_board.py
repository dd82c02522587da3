"""The board for browsers without JavaScript."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from dashboard.app import create_app
from dashboard.board import MAX_FINISHED, STATUS
from host.model.event import STATUSES

Json = dict[str, Any]
MARKUP = '<script>alert(1)</script>"&'


def agent(name: str, **more: Any) -> Json:
    return {"agent": name, "connection": "connected", "title": name.title(), **more}


def task(number: int, status: str, **more: Any) -> Json:
    return {
        "agent": "carly",
        "task_id": f"task-{number:04d}",
        "status": status,
        "progress": 50,
        "message": f"message {number}",
        "received_at": f"2026-11-22T12:{number // 60:02d}:{number % 60:02d}.000Z",
        **more,
    }


async def board(agents: list[Json], tasks: list[Json]) -> httpx.Response:
    state = json.dumps({"agents": agents, "tasks": tasks}).encode()
    transport = httpx.ASGITransport(create_app(lambda: state))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        return await client.get("/board")


async def test_the_board_lists_agents_and_tasks() -> None:
    answer = await board(
        [agent("carly", description="Keeps the calendar."), agent("gone")],
        [task(1, "running"), task(2, "completed", result="Found 3 slots")],
    )
    assert answer.status_code == 200
    for words in ("Carly", "Keeps the calendar.", "running", "50%", "Found 3 slots"):
        assert words in answer.text


async def test_waiting_tasks_come_first_then_open_ones_then_the_newest() -> None:
    tasks = [
        task(1, "completed"),
        task(2, "running"),
        task(3, "input-required"),
        task(4, "error"),
    ]
    text = (await board([agent("carly")], tasks)).text
    places = [text.index(f"message {number}") for number in (3, 2, 4, 1)]
    assert places == sorted(places)


async def test_a_stalled_task_shows_the_time_of_its_last_update() -> None:
    since = "2026-11-22T11:53:01.000Z"
    tasks = [task(1, "running", stalled_since=since), task(2, "submitted")]
    text = (await board([agent("carly")], tasks)).text
    assert 'data-tone="stalled"' in text
    assert "2026-11-22 11:53:01" in text
    assert "running" not in text


async def test_older_finished_tasks_are_counted_and_not_listed() -> None:
    tasks = [task(number, "completed") for number in range(1_000)]
    text = (await board([], tasks)).text
    assert text.count("<tr>") == 2 + 1 + MAX_FINISHED
    assert f"and {1_000 - MAX_FINISHED} older tasks" in text


async def test_removed_agents_are_not_listed_but_their_tasks_are() -> None:
    gone = agent("carly", connection="removed")
    text = (await board([gone], [task(1, "completed")])).text
    assert "The host follows no agents." in text
    assert "message 1" in text


async def test_agent_text_is_escaped() -> None:
    evil = task(1, "running", message=MARKUP, agent=MARKUP, task_id=MARKUP)
    answer = await board([agent("carly", title=MARKUP, cause=MARKUP)], [evil])
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_board_is_not_cached() -> None:
    assert (await board([], [])).headers["cache-control"] == "no-store"


async def test_the_page_links_to_the_board_only_with_a_host() -> None:
    for state, leads in ((lambda: b"{}", True), (None, False)):
        transport = httpx.ASGITransport(create_app(state))
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            assert ('content="0; url=board"' in (await http.get("/")).text) is leads


@pytest.mark.parametrize("status", sorted(STATUSES - {"unknown"}))
def test_every_status_has_a_word_and_a_character(status: str) -> None:
    assert status in STATUS


async def test_a_task_that_another_one_continues_does_not_wait() -> None:
    answer = await board(
        [agent("carly")],
        [task(1, "input-required", continued_by="task-0002"), task(2, "running")],
    )

    assert "continued" in answer.text
    assert "needs input" not in answer.text
    assert answer.text.index("task-0002") < answer.text.index("task-0001")
