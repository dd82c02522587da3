"""The agent of the lesson runs: the starter, each step, and the finished files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.harness import REQUEST_S, Server, get_url
from tests.support.lesson_agent import learner_agent, read_code, send, shorten
from tests.support.lesson_steps import apply_steps

CALENDAR_SEARCH = [
    ("submitted", 0, None),
    ("running", 0, "Starting calendar search..."),
    ("running", 25, "Checking personal calendar..."),
    ("running", 50, "Querying team calendars..."),
    ("running", 75, "Finding optimal time slots..."),
    ("completed", 100, "Found 3 available slots for tomorrow!"),
]


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("starter")
    with learner_agent(folder, read_code("starter")) as running:
        yield running


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("finished")
    with learner_agent(folder, shorten(read_code("finished"))) as running:
        yield running


def test_starter_has_a_card(starter: Server) -> None:
    card = get_url(starter.ready_url).json()

    assert card["supportedInterfaces"][0]["protocolVersion"] == "1.0"


def test_starter_answers_a_message(starter: Server) -> None:
    answer = send(starter.url, "Find a slot for tomorrow").json()

    text = "Found 3 available slots for tomorrow!"
    assert answer["message"]["parts"] == [{"text": text}]


def test_starter_has_the_page(starter: Server) -> None:
    assert "A2A Streaming Agent Dashboard" in get_url(starter.url).text


@pytest.mark.parametrize("step", range(1, 5))
def test_agent_runs_after_each_step(
    step: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = shorten(apply_steps(step))
    with learner_agent(tmp_path_factory.mktemp(f"step{step}"), files) as agent:
        stream = send(agent.url, "Find a slot for tomorrow", "stream").text

    for _, _, text in CALENDAR_SEARCH[1:]:
        assert f'"{text}"' in stream
    assert "TASK_STATE_COMPLETED" in stream


def start(agent: Server, text: str) -> str:
    """Start a task, and return its id."""
    answer = send(agent.url, text, configuration={"returnImmediately": True})
    task_id: str = answer.json()["task"]["id"]
    return task_id


def read_rows(
    agent: Server, task_id: str, *, until: str, last_id: str = ""
) -> list[tuple[str, dict[str, Any]]]:
    """Return the ids and rows of a task, until a row has this text."""
    rows: list[tuple[str, dict[str, Any]]] = []
    headers = {"Last-Event-ID": last_id} if last_id else {}
    event_id = ""
    with httpx.stream(
        "GET",
        f"{agent.url}/tasks/stream",
        headers=headers,
        timeout=REQUEST_S,
        trust_env=False,
    ) as response:
        for line in response.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                event_id = value
            elif field == "data" and task_id in value:
                rows.append((event_id, json.loads(value)))
                if until in value:
                    break
    return rows


def test_rows_have_the_progress_and_the_result(finished: Server) -> None:
    task_id = start(finished, "Find a slot for tomorrow")

    rows = [row for _, row in read_rows(finished, task_id, until="completed")]

    assert [
        (row["status"], row["progress"], row.get("message", row.get("result")))
        for row in rows
    ] == CALENDAR_SEARCH
    assert rows[0] == {"task_id": task_id, "status": "submitted", "progress": 0}
    assert set(rows[-1]) == {"task_id", "status", "progress", "result"}


def test_reader_resumes_after_the_last_event_id(finished: Server) -> None:
    task_id = start(finished, "Find a slot for tomorrow")
    rows = read_rows(finished, task_id, until="completed")

    resumed = read_rows(finished, task_id, until="completed", last_id=rows[2][0])

    assert resumed == rows[3:]


def test_reader_gets_new_rows_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    files = shorten(read_code("finished"))
    with learner_agent(tmp_path_factory.mktemp("restarted"), files) as agent:
        task_id = start(agent, "Find a slot for tomorrow")
        rows = read_rows(agent, task_id, until="completed", last_id="1000")

    assert len(rows) == len(CALENDAR_SEARCH)


def test_cancelled_task_says_who_cancelled_it(finished: Server) -> None:
    task_id = start(finished, "Run a complex analysis")
    read_rows(finished, task_id, until="Processing data...")

    cancelled = httpx.post(
        f"{finished.url}/tasks/{task_id}:cancel",
        headers={"A2A-Version": "1.0"},
        timeout=REQUEST_S,
        trust_env=False,
    )

    assert cancelled.json()["status"]["state"] == "TASK_STATE_CANCELED"
    assert read_rows(finished, task_id, until="cancelled")[-1][1] == {
        "task_id": task_id,
        "status": "cancelled",
        "progress": 30,
        "message": "Task cancelled by user request",
    }


def test_failed_task_says_why(finished: Server) -> None:
    task_id = start(finished, "Show me an error")

    assert read_rows(finished, task_id, until='"error"')[-1][1] == {
        "task_id": task_id,
        "status": "error",
        "progress": 25,
        "message": "The team calendars do not respond. Try again.",
    }
