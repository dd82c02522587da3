"""Answers that begin with Messages: clients of the gateway get them, and the task."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from host import TaskManager
from tests.support.a2a_client import frames_of
from tests.support.command_server import command_agents
from tests.support.host_client import HostClient, Json
from tests.support.manager_transports import updates_of
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        command_agents(folder, "talks", "works", "repeats") as urls,
        Stack(folder, [], extra_agents=urls, log="memory") as running,
    ):
        running.wait_connected(*urls)
        yield running


def build_body(message_id: str) -> Json:
    parts = [{"text": "please"}]
    return {"message": {"messageId": message_id, "role": "ROLE_USER", "parts": parts}}


async def stream(host: HostClient, agent: str, message_id: str) -> list[Json]:
    """Return the updates of message:stream."""
    answer = await host.http.post(
        f"/a2a/{agent}/message:stream", json=build_body(message_id)
    )
    assert answer.status_code == 200, answer.text
    return [frame.data for frame in frames_of(answer.text)]


async def send(host: HostClient, agent: str, message_id: str) -> Json:
    answer = await host.http.post(
        f"/a2a/{agent}/message:send", json=build_body(message_id)
    )
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def texts(updates: list[Json]) -> list[str]:
    """Return the texts of the Messages."""
    return [
        update["message"]["parts"][0]["text"]
        for update in updates
        if "message" in update
    ]


@pytest.fixture
def message_id() -> str:
    return str(uuid.uuid4())


async def test_stream_has_every_message(host: HostClient, message_id: str) -> None:
    updates = await stream(host, "talks", message_id)

    assert texts(updates) == [f"One moment {message_id}", f"Still here {message_id}"]
    assert len(updates) == 2
    assert await stream(host, "talks", message_id) == updates


async def test_stream_has_the_messages_and_then_the_task(
    host: HostClient, message_id: str
) -> None:
    updates = await stream(host, "works", message_id)

    assert texts(updates) == [f"One moment {message_id}", f"Still here {message_id}"]
    task, *rest = updates[2:]
    assert task["task"]["id"] == f"task-{message_id}"
    states = [update["statusUpdate"]["status"]["state"] for update in rest]
    assert states == ["TASK_STATE_WORKING", "TASK_STATE_COMPLETED"]


async def test_message_in_the_stream_of_a_task_keeps_all_its_parts(
    host: HostClient, message_id: str
) -> None:
    updates = await stream(host, "works", message_id)

    (inside,) = (
        update["statusUpdate"]["status"]["message"]
        for update in updates
        if "Found it" in json.dumps(update.get("statusUpdate", {}))
    )
    assert inside["parts"] == [{"text": "Found it"}, {"data": {"price": 7}}]
    assert inside["messageId"] == "Found it"
    assert inside["taskId"] == f"task-{message_id}"


async def test_repeat_gets_the_messages_and_the_task_again(
    host: HostClient, message_id: str
) -> None:
    first = await stream(host, "works", message_id)
    again = await stream(host, "works", message_id)

    assert texts(again) == texts(first)
    assert again[-1]["task"]["id"] == f"task-{message_id}"
    assert again[-1]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_blocking_send_returns_the_task_or_the_last_message(
    host: HostClient, message_id: str
) -> None:
    works = await send(host, "works", message_id)
    talks = await send(host, "talks", message_id)

    assert works["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert texts([talks]) == [f"Still here {message_id}"]
    assert await send(host, "works", message_id) == works
    assert await send(host, "talks", message_id) == talks


async def test_stream_is_the_same_over_jsonrpc(
    host: HostClient, message_id: str
) -> None:
    first = await stream(host, "talks", message_id)
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage"}

    answer = await host.http.post(
        "/a2a/talks", json=call | {"params": build_body(message_id)}
    )

    assert [frame.data["result"] for frame in frames_of(answer.text)] == first


async def test_stream_ends_if_the_agent_repeats_its_question(host: HostClient) -> None:
    task_id = await host.start("repeats")
    reply = build_body(str(uuid.uuid4()))
    reply["message"]["taskId"] = task_id

    answer = await host.http.post("/a2a/repeats/message:stream", json=reply)

    (update,) = [frame.data for frame in frames_of(answer.text)]
    assert update["task"]["id"] == task_id
    assert update["task"]["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"


async def test_messages_are_in_the_feed_once(host: HostClient, message_id: str) -> None:
    await stream(host, "works", message_id)

    rows = await host.history(after=0, agent="works", kind="message")
    assert [row["message"] for row in rows if message_id in row["message"]] == [
        f"One moment {message_id}",
        f"Still here {message_id}",
    ]


async def test_task_manager_gets_the_task_after_the_messages(stack: Stack) -> None:
    async with TaskManager(host=stack.url) as manager:
        task_id = await manager.start_task(agent="works", message="please")
        updates = await updates_of(manager)

    assert task_id.startswith("task-")
    assert updates[-1]["status"] == "completed"
