"""The stubs as any A2A client sees them: both bindings, replies, /tasks/stream.

Every test talks HTTP to a real `python -m agents`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from a2a.client import ClientConfig, create_client
from a2a.helpers.proto_helpers import new_text_message
from a2a.types.a2a_pb2 import Role, SendMessageRequest, TaskState

from agents import progress
from tests.support.a2a_client import (
    AUTH_REQUIRED,
    CANCELED,
    COMPLETED,
    FAILED,
    INPUT_REQUIRED,
    REJECTED,
    RESUMABLE,
    SUBMITTED,
    TERMINAL,
    WORKING,
    Agent,
    agent_at,
    frames_of,
    request,
    states,
    text_of,
    texts,
)
from tests.support.http_requests import Received, read_events
from tests.support.progress_draft import DRAFT
from tests.support.stack import Stack
from tests.support.waiting import wait_until

RESULTS = {
    ("carly", "calendar_check"): "Found 3 available slots for tomorrow!",
    ("carly", "availability"): "Everyone is free tomorrow from 18:30 to 20:00.",
    ("carly", "complex_analysis"): "Tuesdays at 18:30 suit everyone best.",
    ("walter", "weather_forecast"): (
        "Dry and 21 °C tomorrow at 18:30, with a light wind."
    ),
    ("logan", "venue_search"): "Riverside Courts, court 3, is free tomorrow at 18:30.",
    ("nancy", "send_notification"): "Sent 4 invitations: Alex, Kim, Robin and Sam.",
}
CALENDAR_CHECK = [
    (0, "Starting calendar search…"),
    (25, "Checking personal calendar…"),
    (50, "Querying team calendars…"),
    (75, "Finding optimal time slots…"),
    (100, "Found 3 available slots for tomorrow!"),
]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run all stubs. A task takes less than a second."""
    with Stack(tmp_path_factory.mktemp("stubs"), with_host=False) as stack:
        yield stack


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Carly, so slow that her tasks stay at their first step."""
    folder = tmp_path_factory.mktemp("slow")
    with Stack(folder, ["carly"], with_host=False, step_s=60) as stack:
        yield stack


@pytest.fixture
async def slow_carly(slow: Stack) -> AsyncIterator[Agent]:
    async with agent_at(slow.agent_url("carly")) as carly:
        yield carly


@pytest.fixture
async def carly(stubs: Stack) -> AsyncIterator[Agent]:
    async with agent_at(stubs.agent_url("carly")) as agent:
        yield agent


@pytest.fixture
async def nancy(stubs: Stack) -> AsyncIterator[Agent]:
    async with agent_at(stubs.agent_url("nancy")) as agent:
        yield agent


def progress_of(events: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return percent and text of every status update. Check each against the draft."""
    steps = []
    for event in events:
        if update := event.get("statusUpdate"):
            metadata = update["metadata"][progress.URI]
            jsonschema.validate(metadata, DRAFT)
            if "message" in update["status"]:
                assert update["status"]["message"]["metadata"][progress.URI] == metadata
            steps.append((metadata["aggregate"]["progress"], text_of(update["status"])))
    return steps


@pytest.mark.parametrize(("name", "skill"), RESULTS)
async def test_every_skill_streams_progress_and_a_result(
    stubs: Stack, name: str, skill: str
) -> None:
    async with agent_at(stubs.agent_url(name)) as agent:
        events = await agent.stream(skill=skill)
    seen = states(events)
    assert seen == [SUBMITTED, *[WORKING] * (len(seen) - 2), COMPLETED]
    percents = [percent for percent, _ in progress_of(events)]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    artifact = events[-2]["artifactUpdate"]["artifact"]
    assert artifact["parts"][0]["text"] == texts(events)[-1] == RESULTS[name, skill]


async def test_stubs_show_every_task_state(
    stubs: Stack,
) -> None:
    seen: dict[str, set[str]] = {}

    async def play(name: str, text: str, *replies: str) -> str:
        """Return the last state of a task, or "message" if there is no task."""
        async with agent_at(stubs.agent_url(name)) as agent:
            events = await agent.stream(text)
            if "message" in events[0]:
                return "message"
            task_id = events[0]["task"]["id"]
            for reply in replies:
                events += await agent.stream(reply, taskId=task_id)
            if states(events)[-1] in (INPUT_REQUIRED, AUTH_REQUIRED):
                await agent.cancel(task_id)
                events.append({"task": await agent.get(task_id)})
        seen.setdefault(name, set()).update(states(events))
        return states(events)[-1]

    assert await play("walter", "What is the weather like right now?") == "message"
    assert await play("nancy", "Invite everyone to tennis", "Send") == COMPLETED
    assert await play("nancy", "Invite everyone to tennis") == CANCELED
    assert await play("nancy", "Announce the game in public", "Allow") == COMPLETED
    assert await play("nancy", "Announce the game in public", "Refuse") == FAILED
    assert await play("nancy", "?!") == REJECTED
    assert await play("nancy", "Send the news to nobody@nowhere.invalid") == FAILED
    assert await play("logan", "Find a court") == COMPLETED
    everything = {SUBMITTED, WORKING, INPUT_REQUIRED, AUTH_REQUIRED, *TERMINAL}
    assert set().union(*seen.values()) == everything


async def test_logan_tracks_three_courts_and_retries_one(
    stubs: Stack,
) -> None:
    async with agent_at(stubs.agent_url("logan")) as logan:
        events = await logan.stream("Find a court")
    updates = [
        event["statusUpdate"]["metadata"][progress.URI]["trackers"]
        for event in events
        if "statusUpdate" in event
    ]
    statuses = [
        tracker["status"]
        for trackers in updates
        for tracker in trackers
        if tracker["id"] == "Harbour Club"
    ]
    failed = statuses.index("failed")
    assert set(statuses[:failed]) == {"running"}
    assert statuses[failed:].count("running") >= 2
    assert statuses[-1] == "completed"
    assert len(updates[-1]) == 3
    image = next(e["artifactUpdate"] for e in events if "artifactUpdate" in e)
    assert image["artifact"]["parts"][0]["mediaType"] == "image/svg+xml"


async def test_calendar_check_is_as_in_the_lesson_over_http_json(
    carly: Agent,
) -> None:
    assert progress_of(await carly.stream("Find a slot")) == CALENDAR_CHECK


async def test_calendar_check_is_as_in_the_lesson_over_json_rpc(carly: Agent) -> None:
    events = await carly.rpc_stream("SendStreamingMessage", request("Find a slot"))
    assert progress_of(events) == CALENDAR_CHECK


async def test_sdk_client_runs_a_task_from_the_card(stubs: Stack) -> None:
    url = stubs.agent_url("walter")
    async with httpx.AsyncClient(trust_env=False) as http:
        client = await create_client(url, ClientConfig(httpx_client=http))
        message = new_text_message("Will it rain?", role=Role.ROLE_USER)
        last = None
        async for event in client.send_message(SendMessageRequest(message=message)):
            last = event
    assert last is not None
    assert last.status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_send_message_waits_for_the_result(carly: Agent) -> None:
    task = (await carly.send("Find a slot")).json()["task"]
    assert task["status"]["state"] == COMPLETED
    assert task == await carly.get(task["id"])
    answer = await carly.rpc("SendMessage", request("Find a slot"))
    assert answer["result"]["task"]["status"]["state"] == COMPLETED


async def test_subscriber_gets_the_task_and_then_its_updates(
    slow_carly: Agent,
) -> None:
    task_id = await slow_carly.start("Find a slot")
    streamed: list[list[dict[str, Any]]] = []

    async def subscribe(method: str) -> None:
        path = f"/tasks/{task_id}:subscribe"
        events = []
        async with slow_carly.http.stream(method, path) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line.removeprefix("data: ")))
                    first_seen.set()
        streamed.append(events)

    for method in ("GET", "POST"):
        first_seen = anyio.Event()
        if method == "POST":
            task_id = await slow_carly.start("Find a slot")
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(subscribe, method)
                await first_seen.wait()
                await slow_carly.cancel(task_id)
    for events in streamed:
        assert list(events[0]) == ["task"]
        assert states(events)[0] in (SUBMITTED, WORKING)
        assert states(events)[-1] == CANCELED


async def test_cancelled_task_has_the_message_of_the_lesson(
    slow_carly: Agent,
) -> None:
    task_id = await slow_carly.start("Find a slot")
    answer = await slow_carly.cancel(task_id)
    assert answer.status_code == 200
    for task in (answer.json(), await slow_carly.get(task_id)):
        assert task["status"]["state"] == CANCELED
        assert text_of(task["status"]) == "Task cancelled by user request"


async def test_second_cancel_is_refused_in_both_bindings(
    slow_carly: Agent,
) -> None:
    task_id = await slow_carly.start("Find a slot")
    first = await slow_carly.rpc("CancelTask", {"id": task_id})
    assert first["result"]["status"]["state"] == CANCELED
    again = await slow_carly.rpc("CancelTask", {"id": task_id})
    assert again["error"]["code"] == -32002
    assert (await slow_carly.cancel(task_id)).status_code == 400


async def test_two_simultaneous_cancels_both_get_a_response(slow_carly: Agent) -> None:
    for _ in range(20):
        task_id = await slow_carly.start("Find a slot")
        answers: list[int] = []

        async def cancel(task_id: str, answers: list[int]) -> None:
            answers.append((await slow_carly.cancel(task_id)).status_code)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(cancel, task_id, answers)
        assert sorted(answers) == [200, 400]


async def test_list_tasks_is_newest_first_and_filters(
    carly: Agent,
) -> None:
    first = (await carly.send("Find a slot", contextId="here")).json()["task"]
    second = (await carly.send("Find a slot", contextId="there")).json()["task"]
    listed = [task["id"] for task in await carly.tasks(status=COMPLETED)]
    assert listed[:2] == [second["id"], first["id"]]
    (here,) = await carly.tasks(contextId="here")
    assert here["id"] == first["id"]
    after = second["status"]["timestamp"]
    (newer,) = await carly.tasks(statusTimestampAfter=after)
    assert newer["id"] == second["id"]
    answer = await carly.rpc("ListTasks", {"pageSize": 1})
    assert [task["id"] for task in answer["result"]["tasks"]] == [second["id"]]


async def test_nancy_continues_after_a_reply(nancy: Agent) -> None:
    asked = await nancy.stream("Invite everyone to tennis")
    assert states(asked)[-1] == INPUT_REQUIRED
    question = asked[-1]["statusUpdate"]
    assert question["status"]["message"]["parts"] == [
        {"text": "Send 4 invitations?"},
        {"data": {"choices": ["Send", "Don't send"]}},
    ]
    answered = await nancy.stream("Send", taskId=question["taskId"])
    assert states(answered) == [WORKING, COMPLETED]
    assert texts(answered)[-1] == RESULTS["nancy", "send_notification"]
    task = await nancy.get(question["taskId"])
    assert task["contextId"] == question["contextId"]
    replies = [m for m in task["history"] if m["role"] == "ROLE_USER"]
    assert [m["parts"][0]["text"] for m in replies] == [
        "Invite everyone to tennis",
        "Send",
    ]


async def test_nancy_sends_nothing_after_a_refusal_over_json_rpc(
    nancy: Agent,
) -> None:
    task = (await nancy.rpc("SendMessage", request("Invite everyone")))["result"][
        "task"
    ]
    assert task["status"]["state"] == INPUT_REQUIRED
    reply = request("Don't send", taskId=task["id"], contextId=task["contextId"])
    done = (await nancy.rpc("SendMessage", reply))["result"]["task"]
    assert done["status"]["state"] == COMPLETED
    assert text_of(done["status"]) == "Nothing was sent."


async def test_subscriber_of_a_waiting_task_sees_the_work_after_a_reply(
    nancy: Agent,
) -> None:
    task = (await nancy.send("Invite everyone")).json()["task"]
    streamed: list[dict[str, Any]] = []
    subscribed = anyio.Event()

    async def subscribe() -> None:
        path = f"/tasks/{task['id']}:subscribe"
        async with nancy.http.stream("GET", path) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    streamed.append(json.loads(line.removeprefix("data: ")))
                    subscribed.set()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subscribe)
            await subscribed.wait()
            await nancy.send("Send", taskId=task["id"])
    assert states(streamed) == [INPUT_REQUIRED, WORKING, COMPLETED]


async def test_tasks_stream_has_the_format_of_the_lesson(stubs: Stack) -> None:
    url = stubs.agent_url("logan")
    task_id: list[str] = []

    def completed(seen: list[Received]) -> bool:
        return bool(task_id) and seen[-1].data["status"] == "completed"

    async with agent_at(url) as logan, anyio.create_task_group() as tasks:
        seen: list[Received] = []

        async def read() -> None:
            seen.extend(
                await read_events(f"{url}/tasks/stream", until=completed, headers={})
            )

        tasks.start_soon(read)
        task_id.append(await logan.start("Find a court"))
    rows = [event.data for event in seen]
    assert {event.event for event in seen} == {"message"}
    assert len({event.id for event in seen}) == len(seen)
    assert {row["task_id"] for row in rows} == set(task_id)
    steps = [(row["status"], row["progress"]) for row in rows]
    assert ("running", 90) in steps
    assert steps[-1] == ("completed", 100)
    assert rows[-1]["result"] == RESULTS["logan", "venue_search"]
    assert list(rows[-1]) == ["task_id", "status", "progress", "result"]
    assert all(
        list(row) == ["task_id", "status", "progress", "message"] for row in rows[:-1]
    )


async def test_tasks_stream_begins_with_the_row_of_each_open_task(
    slow_carly: Agent,
) -> None:
    ids = [await slow_carly.start("Find a slot") for _ in range(3)]

    async def all_working() -> bool:
        working = {task["id"] for task in await slow_carly.tasks(status=WORKING)}
        return working >= set(ids)

    await wait_until(all_working, "three tasks at work", 30)
    seen: list[str] = []
    async with slow_carly.http.stream("GET", "/tasks/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                seen.append(line)
            if len(seen) == 3:
                break
    rows = [json.loads(line.removeprefix("data: ")) for line in seen]
    assert rows == [
        {
            "task_id": task_id,
            "status": "running",
            "progress": 0,
            "message": "Starting calendar search…",
        }
        for task_id in ids
    ]
    for task_id in ids:
        await slow_carly.cancel(task_id)


async def test_resumed_stream_responds_before_the_next_update(
    slow_carly: Agent,
) -> None:
    """Otherwise the stream of a quiet task would time out at the client."""
    task_id = await slow_carly.start("Find a slot")

    async def is_working() -> bool:
        state: str = (await slow_carly.get(task_id))["status"]["state"]
        return state == WORKING

    await wait_until(is_working, "the task to work", 30)
    task = await slow_carly.get(task_id)
    last = int(task["metadata"][RESUMABLE]["sequence"])
    path, headers = f"/tasks/{task_id}:subscribe", {"Last-Event-ID": str(last)}
    async with slow_carly.http.stream("POST", path, headers=headers) as answer:
        # The next update is half a minute away.
        assert answer.status_code == 200
        await slow_carly.cancel(task_id)
        frames = frames_of((await answer.aread()).decode())
    assert [int(frame.id) for frame in frames] == [last + 1]
