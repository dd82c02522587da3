"""The stream of the lesson, the history, the agents and the health of a real host.

GET /tasks/stream, /feed.ndjson, /feed/{id}, /agents and /healthz.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support.host_client import HostClient, Json, watch_feed
from tests.support.http_requests import read_events, start_request
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

AGENTS = ("carly", "nancy")
HISTORY = 5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a host with some history and no open task."""
    with Stack(tmp_path_factory.mktemp("stack"), AGENTS) as running:
        start_on_carly(running)
        wait_until_sync(
            lambda: '"completed"' in get(f"{running.url}/feed.ndjson").text,
            "a finished task",
            30,
        )
        yield running


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def start_on_carly(stack: Stack) -> None:
    """Start a task at Carly, without the host."""
    httpx.post(
        f"{stack.agent_url('carly')}/message:send",
        json=start_request("Find a slot for a game tomorrow"),
        headers={"A2A-Version": "1.0"},
        trust_env=False,
    ).raise_for_status()


class TestTasksStream:
    def test_can_be_read_with_a_raw_socket(self, stack: Stack) -> None:
        """HTTP/1.0, so that the stream is not chunked."""
        host, port = stack.url.removeprefix("http://").split(":")
        request = f"GET /tasks/stream HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n"
        with socket.create_connection((host, int(port)), 30) as sock:
            sock.sendall(request.encode())
            lines = sock.makefile("r", encoding="utf-8", newline="\n")
            head = [line.strip() for line in iter(lines.readline, "\r\n")]
            start_on_carly(stack)
            updates: list[Json] = []
            for line in lines:
                if line.startswith("data: "):
                    updates.append(json.loads(line.removeprefix("data: ")))
                    if updates[-1]["status"] == "completed":
                        break

        assert head[0] == "HTTP/1.1 200 OK"
        assert "content-type: text/event-stream; charset=utf-8" in head
        assert {update["task_id"] for update in updates} == {updates[0]["task_id"]}
        running = [update for update in updates if update["status"] == "running"]
        assert [(update["progress"], update["message"]) for update in running] == [
            (0, "Starting calendar search..."),
            (25, "Checking personal calendar..."),
            (50, "Querying team calendars..."),
            (75, "Finding optimal time slots..."),
        ]
        assert updates[-1]["progress"] == 100
        assert updates[-1]["result"] == "Found 3 available slots for tomorrow!"
        assert all("result" not in update for update in updates[:-1])

    async def test_has_task_updates_only_and_no_snapshot(
        self, stack: Stack, host: HostClient
    ) -> None:
        async with watch_feed(f"{stack.url}/tasks/stream") as reader:
            task_id = await host.start("carly")
            await reader.until_over(task_id)

        assert {got.event for got in reader.seen} == {"message"}
        assert {event["kind"] for event in reader.events} == {"task"}
        assert {"task_id", "status", "progress", "message"} <= set(reader.events[-1])

    async def test_begins_with_the_rows_of_the_open_tasks(
        self, stack: Stack, host: HostClient
    ) -> None:
        waiting = [
            await host.start("nancy", skill="invite_everyone", text=f"Invite {n}")
            for n in (1, 2)
        ]
        rows = [await host.row_with(task, "input-required") for task in waiting]

        seen = await read_events(
            f"{stack.url}/tasks/stream", until=lambda seen: len(seen) >= len(rows)
        )
        for task_id in waiting:
            await host.cancel("nancy", task_id)
            await host.row_with(task_id, "cancelled")

        assert [{**got.data, "id": 0} for got in seen] == [{**r, "id": 0} for r in rows]

    async def test_resumes_after_an_opening_row(
        self, stack: Stack, host: HostClient
    ) -> None:
        waiting = await host.start("nancy", skill="invite_everyone")
        await host.row_with(waiting, "input-required")
        [row] = await read_events(f"{stack.url}/tasks/stream", until=bool)
        await host.cancel("nancy", waiting)
        await host.row_with(waiting, "cancelled")

        seen = await read_events(
            f"{stack.url}/tasks/stream",
            headers={"Last-Event-ID": row.id},
            until=lambda seen: seen[-1].data["status"] == "cancelled",
        )

        assert [got.data["task_id"] for got in seen] == [waiting]

    async def test_resumes_with_every_update_after_the_cursor(
        self, stack: Stack, host: HostClient
    ) -> None:
        expected = await host.history(after=HISTORY, kind="task")

        seen = await read_events(
            f"{stack.url}/tasks/stream",
            headers={"Last-Event-ID": str(HISTORY)},
            until=lambda seen: len(seen) >= len(expected),
        )

        assert [got.data for got in seen] == [
            {**event, "progress": event["progress"] or 0} for event in expected
        ]


class TestHistory:
    async def test_has_one_event_per_line_oldest_first(self, host: HostClient) -> None:
        head = await host.head()
        answer = await host.http.get("/feed.ndjson")

        events = [json.loads(line) for line in answer.text.split("\n")[:-1]]
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        assert len(events) >= head
        assert [e["id"] for e in events] == list(range(1, len(events) + 1))

    async def test_has_pages_in_both_directions(self, host: HostClient) -> None:
        head = await host.head()
        ids = list(range(1, head + 1))

        async def page(**query: int) -> list[int]:
            return [event["id"] for event in await host.history(**query)]

        assert await page(after=0, limit=3) == [1, 2, 3]
        assert await page(after=3, limit=2) == [4, 5]
        assert await page(after=head - 1) == [head]
        assert await page(after=head) == []
        assert await page(limit=2) == ids[-2:]
        assert await page(before=5, limit=2) == [3, 4]
        assert await page(before=5) == [1, 2, 3, 4]
        assert await page(before=1) == []
        assert await page(before=0) == await page(before=0, limit=2) == []
        assert await page(after=2, before=5) == [3, 4]
        assert await page(after=2, before=6, limit=2) == [3, 4]

    @pytest.mark.parametrize("where", ["agent=carly", "kind=task", "kind=agent"])
    async def test_has_the_filters_of_the_feed(
        self, host: HostClient, where: str
    ) -> None:
        key, value = where.split("=")
        wanted = [e for e in await host.history() if e[key] == value]

        assert wanted
        assert await host.history(**{key: value}) == wanted
        assert await host.history(**{key: value}, limit=2) == wanted[-2:]
        assert await host.history(**{key: value}, after=0, limit=2) == wanted[:2]

    async def test_before_a_future_id_has_the_last_event(
        self, host: HostClient
    ) -> None:
        head = await host.head()

        for query in ({"limit": 1}, {"after": head - 1}):
            [last] = await host.history(before=head + 50, **query)
            assert last["id"] == head

    @pytest.mark.parametrize("name", ["after", "before"])
    async def test_with_a_cursor_of_another_log_is_refused(
        self, host: HostClient, name: str
    ) -> None:
        answer = await host.http.get(f"/feed.ndjson?{name}=0ld-3")

        assert answer.status_code in (400, 410)
        assert "0ld-3" in answer.text


class TestOneEvent:
    async def test_has_the_agents_update(self, stack: Stack, host: HostClient) -> None:
        row = (await host.history(kind="task"))[-1]
        epoch = (await host.get("/healthz"))["epoch"]

        for name in (row["id"], f"{epoch}-{row['id']}"):
            one = await host.get(f"/feed/{name}")
            assert one["event"] == row
            [update] = one["raw"].values()  # A statusUpdate, or a whole task.
            assert row["task_id"] in (update.get("taskId"), update.get("id"))
            assert update["status"]["state"] == row["state"]

    async def test_without_an_update_has_null(self, host: HostClient) -> None:
        one = await host.get("/feed/1")

        assert one["event"]["kind"] == "agent"
        assert one["raw"] is None

    @pytest.mark.parametrize("name", ["0", "999999", "0ld-1"])
    async def test_with_an_unknown_id_is_404(self, host: HostClient, name: str) -> None:
        answer = await host.http.get(f"/feed/{name}")

        assert answer.status_code == 404
        assert f"event {name} is not in the log" in answer.text


class TestAgents:
    async def test_are_listed_with_data_of_their_cards(
        self, stack: Stack, host: HostClient
    ) -> None:
        agents = {row["agent"]: row for row in (await host.get("/agents"))["agents"]}

        assert list(agents) == list(AGENTS)
        carly = agents["carly"]
        assert carly["connection"] == "connected"
        assert carly["followed"] == "streaming"
        assert carly["url"] == stack.agent_url("carly")
        assert (carly["title"], carly["cause"]) == ("Carly", None)
        assert carly["skills"][0]["id"] == "calendar_check"
        assert carly["skills"][0]["examples"]


class TestHealth:
    async def test_names_the_log_its_head_and_every_connection(
        self, host: HostClient
    ) -> None:
        health = await host.get("/healthz")

        assert health["status"] == "ok"
        assert health["agents"] == dict.fromkeys(AGENTS, "connected")
        assert health["head"] == (await host.history(limit=1))[0]["id"]
        assert health["epoch"]

    async def test_answers_head_requests(self, host: HostClient) -> None:
        answer = await host.http.head("/healthz")

        assert (answer.status_code, answer.content) == (200, b"")
