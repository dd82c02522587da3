"""Agents are added and removed while the host runs: over HTTP and in courtside.toml.

Real agents and a real host. The unit tests have the rules of the roster.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from host.following.roster_file import FILE
from tests.support.harness import THOROUGH, Server, free_port
from tests.support.host_client import HostClient, Watcher, watch_feed
from tests.support.stack import Stack
from tests.support.waiting import wait_until

FOUND_S = 2.0
"""The longest time until a restarted agent is connected."""
TIMES = 3 if THOROUGH else 1
BACKED_OFF = 4
"""After so many attempts, the wait before the next one is longest."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Run a host that follows Carly."""
    with Stack(tmp_path, ["carly"]) as running:
        yield running


@pytest.fixture
def walter(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "walter"
    folder.mkdir()
    with Stack(folder, ["walter"], with_host=False) as alone:
        yield alone.agents["walter"]


def configure(stack: Stack, agents: Mapping[str, str]) -> None:
    """Write the host's courtside.toml with these names and URLs."""
    tables = [f"[agents.{name}]\nurl = '{url}'\n" for name, url in agents.items()]
    stack.config.write_text("\n".join(tables), "utf-8")


async def until_agents(host: HostClient, wanted: Mapping[str, str]) -> None:
    """Wait until the host follows exactly these agents, connected or lost as given."""

    async def as_wanted() -> bool:
        return bool((await host.get("/healthz"))["agents"] == wanted)

    await wait_until(as_wanted, f"the agents to be {wanted}", 30)


def connections(reader: Watcher, agent: str) -> list[str]:
    return [
        event["connection"]
        for event in reader.events
        if event["kind"] == "agent" and event["agent"] == agent
    ]


class TestAdd:
    async def test_agent_is_followed_and_takes_tasks(
        self, host: HostClient, walter: Server
    ) -> None:
        body = {"url": walter.url + "/", "name": "rain"}
        answer = await host.http.post("/agents", json=body)

        assert answer.status_code == 201
        assert answer.headers["location"] == "agents/rain"
        row = answer.json()
        assert (row["agent"], row["url"]) == ("rain", walter.url)
        assert row["connection"] == "connecting"
        await until_agents(host, {"carly": "connected", "rain": "connected"})
        task_id = await host.start("rain")
        await host.row_with(task_id, "completed")
        now = await host.get("/agents/rain")
        assert now["title"] == "Walter"
        assert [a["agent"] for a in (await host.get("/agents"))["agents"]] == [
            "carly",
            "rain",
        ]

    async def test_agent_without_a_name_gets_one_from_its_url(
        self, host: HostClient, walter: Server
    ) -> None:
        answer = await host.http.post("/agents", json={"url": walter.url})

        port = walter.url.rpartition(":")[2]
        assert answer.json()["agent"] == f"agent-{port}"

    async def test_agent_is_kept_when_the_host_is_killed_at_once(
        self, stack: Stack, host: HostClient, walter: Server
    ) -> None:
        await host.http.post("/agents", json={"url": walter.url, "name": "walter"})
        stack.host.kill()
        await anyio.to_thread.run_sync(stack.host.restart)

        await until_agents(host, {"carly": "connected", "walter": "connected"})

    async def test_agent_that_does_not_run_is_lost_with_its_cause(
        self, host: HostClient
    ) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        await host.http.post("/agents", json={"url": url, "name": "ghost"})

        await until_agents(host, {"carly": "connected", "ghost": "lost"})
        assert "refused" in (await host.get("/agents/ghost"))["cause"]


class TestRemove:
    async def test_removed_agent_keeps_its_history(
        self, stack: Stack, host: HostClient
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")
        before = await host.history(agent="carly", task=task_id)
        async with watch_feed(f"{stack.url}/feed") as reader:
            answer = await host.http.delete("/agents/carly")
            assert answer.status_code == 204
            await reader.until(
                lambda: connections(reader, "carly") == ["removed"], "the removal"
            )

        assert await host.history(agent="carly", task=task_id) == before
        assert (await host.get("/healthz"))["agents"] == {}
        assert await host.get("/agents") == {"agents": []}
        for method, path in (
            ("GET", "/agents/carly"),
            ("DELETE", "/agents/carly"),
            ("POST", "/agents/carly:retry"),
        ):
            gone = await host.http.request(method, path)
            assert gone.status_code == 404
            assert "no agent 'carly'" in gone.json()["error"]["message"]
        assert (await host.send("carly", "Are you there?")).status_code == 404
        stack.agents["carly"].terminate()

    async def test_agent_with_an_open_task_is_removed_without_delay(
        self, stack: Stack, host: HostClient, walter: Server
    ) -> None:
        await host.http.post("/agents", json={"url": walter.url, "name": "walter"})
        await until_agents(host, {"carly": "connected", "walter": "connected"})
        walter.pause()
        try:
            asked = time.monotonic()
            assert (await host.http.delete("/agents/walter")).status_code == 204
            await until_agents(host, {"carly": "connected"})
            assert time.monotonic() - asked < FOUND_S
        finally:
            walter.resume()
        await host.row_with(await host.start("carly"), "completed")

    async def test_removed_agent_stays_removed_although_the_file_has_it(
        self, stack: Stack, host: HostClient
    ) -> None:
        await host.http.delete("/agents/carly")
        await anyio.to_thread.run_sync(stack.host.restart)

        assert (await host.get("/healthz"))["agents"] == {}

    async def test_agent_added_again_continues_its_tasks(
        self, stack: Stack, host: HostClient
    ) -> None:
        """The updates that it sent in the meantime are in the feed, once."""
        task_id = await host.start("carly", skill="calendar_check")
        await host.row_with(task_id, "running")
        await host.http.delete("/agents/carly")
        body = {"url": stack.agent_url("carly")}
        answer = await host.http.post("/agents", json=body)

        assert answer.json()["agent"] == "carly"
        last = await host.row_with(task_id, "completed")
        assert last["result"]
        assert (
            len([r for r in await host.rows(task_id) if r["status"] == "completed"])
            == 1
        )


class TestReconnect:
    async def test_agent_is_connected_within_two_seconds(
        self, stack: Stack, host: HostClient
    ) -> None:
        async def is_backed_off() -> bool:
            row = await host.get("/agents/carly")
            return bool(row["connection"] == "lost" and row["attempt"] >= BACKED_OFF)

        carly = stack.agents["carly"]
        for _ in range(TIMES):
            carly.kill()
            await wait_until(is_backed_off, "the longest wait between attempts", 30)
            await anyio.to_thread.run_sync(carly.restart)
            ready = time.monotonic()
            await until_agents(host, {"carly": "connected"})
            assert time.monotonic() - ready < FOUND_S

    async def test_agent_is_retried_at_once_on_request(
        self, stack: Stack, host: HostClient
    ) -> None:
        assert (await host.http.post("/agents/carly:retry")).status_code == 202
        assert (await host.http.post("/agents/nobody:retry")).status_code == 404


class TestSettingsFile:
    async def test_changed_file_is_read_again(
        self, stack: Stack, host: HostClient, walter: Server
    ) -> None:
        configure(stack, {"walter": walter.url})

        await until_agents(host, {"walter": "connected"})
        assert (await host.get("/healthz"))["config"] is None

    async def test_unusable_file_changes_nothing_and_is_reported(
        self, stack: Stack, host: HostClient, walter: Server
    ) -> None:
        head = await host.head()
        stack.config.write_text('[agents.carly]\nurl = "nonsense"\n', "utf-8")

        async def reported() -> Any:
            return (await host.get("/healthz"))["config"]

        trouble = await wait_until(reported, "the trouble with the file", 30)
        assert "courtside.toml, line 2: agents.carly.url" in trouble
        assert (await host.get("/healthz"))["status"] == "ok"
        assert await host.head() == head, "the feed has no new event"
        answer = await host.http.post("/agents:reload")
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == trouble
        assert "line 2" in stack.host.output()

        urls = {"carly": stack.agent_url("carly"), "walter": walter.url}
        configure(stack, urls)
        answer = await host.http.post("/agents:reload")
        assert answer.status_code == 200
        assert answer.json() == {"added": ["walter"], "removed": [], "changed": []}
        assert await reported() is None
        await until_agents(host, {"carly": "connected", "walter": "connected"})

    async def test_file_changed_while_the_host_was_down_counts(
        self, stack: Stack, host: HostClient, walter: Server
    ) -> None:
        stack.host.terminate()
        configure(stack, {"walter": walter.url})
        await anyio.to_thread.run_sync(stack.host.restart)

        await until_agents(host, {"walter": "connected"})
        rows = await host.history(after=0, agent="carly", kind="agent")
        assert rows[-1]["connection"] == "removed"

    async def test_unusable_agents_json_stops_the_start_with_one_line(
        self, stack: Stack
    ) -> None:
        stack.host.terminate()
        (stack.data_dir / FILE).write_text(json.dumps({"added": 7}), "utf-8")
        stack.host.start()

        assert stack.host.wait_end(30) == 1
        last = stack.host.output().splitlines()[-1]
        assert last.startswith("courtside: ")
        assert "agents.json" in last
        assert "Correct it" in last
