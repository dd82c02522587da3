"""Start, cancel and reply reach the agent, and the results are in the feed.

Real stubs and a real host, slow enough to act while a task runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import anyio
import pytest

from tests.support.a2a_client import agent_at
from tests.support.host_client import HostClient, Watcher, watch_feed
from tests.support.http_requests import start_request
from tests.support.stack import Stack
from tests.support.waiting import wait_until

AGENTS = ("carly", "walter", "nancy")
SOON_S = 2.0
"""Twice the promised time, for a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, AGENTS, step_s=0.1) as running:
        yield running


def is_in_feed(reader: Watcher, task_id: str) -> Callable[[], bool]:
    return lambda: bool(reader.of_task(task_id))


class TestStart:
    async def test_returns_the_agents_task_before_it_completes(
        self, stack: Stack, host: HostClient
    ) -> None:
        answer = await host.send("carly", "When is everyone free tomorrow?")

        task = answer.json()["task"]
        assert answer.status_code == 200
        assert task["status"]["state"] in ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
        async with agent_at(stack.agent_url("carly")) as carly:
            assert (await carly.get(task["id"]))["contextId"] == task["contextId"]
        last = await host.row_with(task["id"], "completed")
        assert last["context_id"] == task["contextId"]
        assert last["result"] == "Everyone is free tomorrow from 18:30 to 20:00."

    async def test_passes_skill_and_context_to_the_agent(
        self, stack: Stack, host: HostClient
    ) -> None:
        task_id = await host.start(
            "carly", "anything", skill="availability", contextId="my-evening"
        )

        rows = [await host.row_with(task_id, s) for s in ("running", "completed")]
        assert rows[0]["message"] == "Checking availability..."
        assert {row["context_id"] for row in rows} == {"my-evening"}

    async def test_by_any_client_is_in_the_feed_within_a_second(
        self, stack: Stack, host: HostClient
    ) -> None:
        started: dict[str, str] = {}
        async with watch_feed(f"{stack.url}/feed") as reader:
            for name in AGENTS:
                async with agent_at(stack.agent_url(name)) as agent:
                    task_id = await agent.start()
                asked = time.monotonic()
                await reader.until(
                    is_in_feed(reader, task_id), f"{task_id} in the feed"
                )
                assert time.monotonic() - asked < SOON_S
                started[task_id] = name
            await reader.until_over(*started)

        for task_id, name in started.items():
            events = reader.of_task(task_id)
            assert events[-1]["status"] == "completed"
            assert {event["agent"] for event in events} == {name}

    async def test_by_a_stream_of_the_agent_is_in_the_feed_once(
        self, stack: Stack, host: HostClient
    ) -> None:
        async with agent_at(stack.agent_url("carly")) as agent:
            events = await agent.stream("Find a slot for a game tomorrow")
        task_id = events[0]["task"]["id"]

        await host.row_with(task_id, "completed")
        rows = await host.rows(task_id)
        assert [row["message"] for row in rows if row["message"]] == [
            "Starting calendar search...",
            "Checking personal calendar...",
            "Querying team calendars...",
            "Finding optimal time slots...",
            "Found 3 available slots for tomorrow!",
        ]

    async def test_is_followed_even_if_the_client_disconnects(
        self, stack: Stack, host: HostClient
    ) -> None:
        body = json.dumps(start_request("Will it rain?", contextId="hung-up"))
        address, _, port = stack.url.removeprefix("http://").partition(":")
        async with await anyio.connect_tcp(address, int(port)) as connection:
            await connection.send(
                f"POST /a2a/walter/message:send HTTP/1.1\r\nHost: {address}\r\n"
                "Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )

        async def over() -> bool:
            rows = await host.history(context="hung-up", kind="task")
            return [row["status"] for row in rows].count("completed") == 1

        await wait_until(over, "the end of the task", 30)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run agents so slow that no task ends before a test cancels it."""
    with Stack(tmp_path_factory.mktemp("slow"), AGENTS, step_s=0.5) as running:
        yield running


class TestCancel:
    @pytest.fixture
    def stack(self, slow: Stack) -> Stack:
        return slow

    async def test_reaches_the_agent_and_comes_back_as_an_event(
        self, stack: Stack, host: HostClient
    ) -> None:
        task_id = await host.start("walter")
        await host.row_with(task_id, "running")

        answer = await host.cancel("walter", task_id)

        assert answer.status_code == 200
        assert answer.json()["id"] == task_id
        assert answer.json()["status"]["state"] == "TASK_STATE_CANCELED"
        row = await host.row_with(task_id, "cancelled")
        assert row["message"] == "Task cancelled by user request"
        assert row["state"] == "TASK_STATE_CANCELED"
        assert "result" not in row
        async with agent_at(stack.agent_url("walter")) as walter:
            task = await walter.get(task_id)
            assert task["status"]["state"] == "TASK_STATE_CANCELED"

    async def test_is_the_last_event_of_the_task_and_leaves_no_gap(
        self, stack: Stack, host: HostClient
    ) -> None:
        async with watch_feed(f"{stack.url}/feed") as reader:
            cancelled = await host.start("walter")
            await host.row_with(cancelled, "running")
            await host.cancel("walter", cancelled)
            # Later events of the first task would be in the feed before this one ends.
            await reader.until_over(cancelled, await host.start("walter"))

        events = reader.of_task(cancelled)
        assert events[-1]["status"] == "cancelled"
        assert {event["kind"] for event in events} == {"task"}

    async def test_by_any_client_is_in_the_feed(
        self, stack: Stack, host: HostClient
    ) -> None:
        task_id = await host.start("nancy")
        await host.row_with(task_id, "running")

        async with agent_at(stack.agent_url("nancy")) as nancy:
            await nancy.cancel(task_id)

        row = await host.row_with(task_id, "cancelled")
        assert row["message"] == "Task cancelled by user request"

    async def test_of_an_ended_task_gets_the_agents_error(
        self, stack: Stack, host: HostClient
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")

        answer = await host.cancel("carly", task_id)

        async with agent_at(stack.agent_url("carly")) as carly:
            direct = await carly.cancel(task_id)
        assert answer.status_code == direct.status_code
        assert 400 <= answer.status_code < 500
        assert _reason(answer.json()) == _reason(direct.json())
        rows = await host.rows(task_id)
        assert rows[-1]["status"] == "completed"

    async def test_of_an_unknown_task_is_404(self, host: HostClient) -> None:
        answer = await host.cancel("carly", "no-such-task")

        assert answer.status_code == 404
        assert _reason(answer.json()) == "TASK_NOT_FOUND"


def _reason(body: dict[str, dict[str, list[dict[str, str]]]]) -> str:
    return body["error"]["details"][0]["reason"]


class TestReply:
    async def start_question(self, host: HostClient) -> dict[str, str]:
        """Start a task of Nancy that waits for a reply. Return its ids."""
        task_id = await host.start("nancy", skill="invite_everyone")
        row = await host.row_with(task_id, "input-required")
        assert row["message"] == "Send 4 invitations?"
        return {"taskId": task_id, "contextId": row["context_id"]}

    @pytest.mark.parametrize(
        ("answer", "result"),
        [
            ("Send", "Sent 4 invitations: Alex, Kim, Robin and Sam."),
            ("Don't send", "Nothing was sent."),
        ],
    )
    async def test_continues_the_waiting_task(
        self, host: HostClient, answer: str, result: str
    ) -> None:
        ids = await self.start_question(host)

        same = await host.start("nancy", answer, **ids)

        assert same == ids["taskId"]
        last = await host.row_with(same, "completed")
        assert last["result"] == result
        assert last["context_id"] == ids["contextId"]
        events = await host.history(after=0, task=same)
        assert [event["kind"] for event in events].count("gap") == 0
        messages = [row["message_id"] for row in events if row["kind"] == "task"]
        ids_in_feed = [message for message in messages if message]
        assert len(ids_in_feed) == len(set(ids_in_feed)), "a message is repeated"

    async def test_needs_no_context_id(self, host: HostClient) -> None:
        ids = await self.start_question(host)

        await host.start("nancy", "Send", taskId=ids["taskId"])

        last = await host.row_with(ids["taskId"], "completed")
        assert last["context_id"] == ids["contextId"]

    async def test_with_an_unknown_choice_repeats_the_question(
        self, host: HostClient
    ) -> None:
        ids = await self.start_question(host)

        await host.start("nancy", "Perhaps", **ids)
        async with watch_feed(f"{host.http.base_url}/feed?after=0") as reader:
            await reader.until(
                lambda: any(
                    event.get("message") == "Please say Send or Don't send."
                    for event in reader.of_task(ids["taskId"])
                ),
                "the second question",
            )
        await host.start("nancy", "Don't send", **ids)

        assert await host.row_with(ids["taskId"], "completed")

    async def test_to_an_ended_task_is_refused(self, host: HostClient) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")

        answer = await host.send("carly", "And now?", taskId=task_id)

        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]["message"]
