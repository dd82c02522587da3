"""A client that disconnects cancels nothing, and a repeated message is sent once.

A real host and agents; clients that disconnect, and a host that stops.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from tests.support.a2a_client import COMPLETED, agent_at
from tests.support.a2a_client import request as message
from tests.support.gateway import BINDINGS, Subscriber, call
from tests.support.host_client import HostClient, client, host_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

END_S = 2.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly", "walter"]) as running:
        yield running


async def tasks_of(stack: Stack, agent: str) -> int:
    async with agent_at(stack.agent_url(agent)) as a2a:
        return len(await a2a.tasks())


class TestRepeatedMessage:
    async def test_gets_the_current_task(self, stack: Stack, host: HostClient) -> None:
        before = await tasks_of(stack, "carly")
        body = message("When is everyone free?")
        immediately = body | {"configuration": {"returnImmediately": True}}
        first = await host.http.post("/a2a/carly/message:send", json=immediately)
        task_id = first.json()["task"]["id"]
        await host.row_with(task_id, "completed")

        again = await host.http.post("/a2a/carly/message:send", json=immediately)
        waited = (await call(stack.url, "carly", "SendMessage", body))["result"]
        async with client(stack.url) as http:
            stream = await http.post("/a2a/carly/message:stream", json=body)

        assert first.json()["task"]["status"]["state"] != COMPLETED
        assert again.json()["task"]["id"] == waited["task"]["id"] == task_id
        assert again.json()["task"]["status"]["state"] == COMPLETED
        assert waited["task"]["status"]["state"] == COMPLETED
        only = json.loads(stream.text.partition("data: ")[2])
        assert only["task"]["id"] == task_id
        assert await tasks_of(stack, "carly") == before + 1

    async def test_waits_for_the_same_task_while_the_agent_is_slow(
        self, stack: Stack, host: HostClient
    ) -> None:
        before = await tasks_of(stack, "walter")
        body = message("Will it rain?")
        stack.agents["walter"].pause()
        try:
            with pytest.raises(httpx.ReadTimeout):
                async with client(stack.url) as http:
                    patience = httpx.Timeout(30, read=0.3)
                    path = "/a2a/walter/message:send"
                    await http.post(path, json=body, timeout=patience)
            answers: list[str] = []

            async def ask() -> None:
                answer = await host.http.post("/a2a/walter/message:send", json=body)
                answers.append(answer.json()["task"]["id"])

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(ask)
                await anyio.sleep(0.1)
                stack.agents["walter"].resume()
        finally:
            stack.agents["walter"].resume()

        assert len(set(answers)) == 1
        assert await tasks_of(stack, "walter") == before + 1
        assert await host.row_with(answers[0], "completed")

    async def test_after_a_lost_stream_continues_with_the_same_task(
        self, stack: Stack, host: HostClient
    ) -> None:
        before = await tasks_of(stack, "walter")
        body = message("Will it rain?")
        path = "/a2a/walter/message:stream"
        async with client(stack.url) as http:
            async with http.stream("POST", path, json=body) as lost:
                await anext(lost.aiter_lines())
            again = await http.post(path, json=body)

        frames = [line for line in again.text.split("\n") if line.startswith("data: ")]
        updates = [json.loads(line.removeprefix("data: ")) for line in frames]
        (last,) = updates[-1].values()  # The task, if it ended before the repeat.
        assert last["status"]["state"] == COMPLETED
        assert await tasks_of(stack, "walter") == before + 1
        assert await host.row_with(updates[0]["task"]["id"], "completed")


async def test_stopping_host_ends_every_stream_and_every_wait(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, ["nancy"], step_s=0.5) as stack:
        async with host_at(stack.url) as host:
            task_id = await host.start("nancy", skill="invite_everyone")
            await host.row_with(task_id, "input-required")
        readers = [
            Subscriber(stack.url, "nancy", task_id, binding) for binding in BINDINGS
        ]
        answers: list[httpx.Response] = []

        async def wait() -> None:
            async with client(stack.url) as http:
                body = message("Invite everyone", skill="invite_everyone")
                path = "/a2a/nancy/message:send"
                answers.append(await http.post(path, json=body))

        async def is_everything_open() -> bool:
            async with agent_at(stack.agent_url("nancy")) as nancy:
                tasks = len(await nancy.tasks())
            return tasks == 2 and all(reader.frames for reader in readers)

        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(reader.read)  # Raises if the stream is cut.
            group.start_soon(wait)
            await wait_until(is_everything_open, "two streams and a second task", 30)
            # Frozen, she cannot complete the response to the waiting client.
            stack.agents["nancy"].pause()
            stack.host.child.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            code = await anyio.to_thread.run_sync(stack.host.wait_end, END_S)

        assert code == 0
        assert time.monotonic() - asked < END_S
        assert answers[0].status_code == 503
        assert answers[0].json()["error"]["details"][0]["domain"] == "courtside"
        assert "Traceback" not in stack.host.output()
        stack.agents["nancy"].resume()
        stack.host.restart()
        for reader in readers:
            assert [len(reader.frames), reader.numbers[0]] == [1, int(reader.last or 0)]
