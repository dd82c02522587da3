"""The skills of the stubs: results, progress, task states and replies.

Every test talks HTTP to a real `python -m agents`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

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
    SUBMITTED,
    TERMINAL,
    WORKING,
    Agent,
    agent_at,
    request,
    states,
    text_of,
    texts,
)
from tests.support.progress_draft import DRAFT
from tests.support.stack import Stack

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
    (0, "Starting calendar search..."),
    (25, "Checking personal calendar..."),
    (50, "Querying team calendars..."),
    (75, "Finding optimal time slots..."),
    (100, "Found 3 available slots for tomorrow!"),
]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run all stubs. A task takes less than a second."""
    with Stack(tmp_path_factory.mktemp("stubs"), with_host=False) as stack:
        yield stack


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
