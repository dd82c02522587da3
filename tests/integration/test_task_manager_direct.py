"""TaskManager without a host: settings, broken streams, tasks of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from host import TaskManager
from host.config.agent_settings import AgentSettings
from host.errors import ConfigError
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.memory_log import MemoryLog
from tests.support.a2a_client import start_over_jsonrpc
from tests.support.card_server import card_server
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import NO_TLS
from tests.support.host_client import client, message_ids_at_agent, message_ids_in_feed
from tests.support.manager_transports import Json, updates_of
from tests.support.stack import Stack
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly"], with_host=False, step_s=0.2) as running:
        yield running


@pytest.fixture
def carly(stack: Stack) -> str:
    return stack.agent_url("carly")


@contextmanager
def proxied(url: str) -> Iterator[tuple[str, FaultProxy]]:
    """Yield a URL for the agent whose card names a proxy, and that proxy."""
    path = "/.well-known/agent-card.json"
    card = httpx.get(url + path, trust_env=False, verify=NO_TLS).text
    with FaultProxy(int(url.rpartition(":")[2])) as proxy:
        cards = {path: json.loads(card.replace(url, proxy.url))}
        with card_server(cards) as server:
            yield server.url, proxy


async def test_cut_streams_lose_and_repeat_nothing(
    carly: str,
) -> None:
    with proxied(carly) as (url, proxy):
        async with TaskManager({"carly": url}) as manager:
            task_id = await manager.start_task("calendar_check")
            updates: list[Json] = []
            async for update in manager.stream_all():
                updates.append(update)
                # Cuts between two updates, and within one.
                proxy.set_faults(Faults(cut_after=1 + 61 * len(updates)))
        assert proxy.counts.cuts > 1

    assert "gap" not in [update["kind"] for update in updates]
    assert message_ids_in_feed(updates, task_id) == await message_ids_at_agent(
        carly, task_id
    )
    assert updates[-1]["status"] == "completed"


async def test_tasks_of_others_are_not_followed(carly: str) -> None:
    with proxied(carly) as (url, proxy):
        async with client() as http, TaskManager({"carly": url}) as manager:
            strange = {await start_over_jsonrpc(carly, http=http) for _ in range(20)}
            ours = await manager.start_task("calendar_check")
            updates = await updates_of(manager)

    assert {update["task_id"] for update in updates} == {ours}
    # Each followed task needs a connection.
    assert proxy.counts.connections < len(strange)


async def test_collector_follows_only_wanted_tasks(carly: str) -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    wanted: set[str] = set()
    collector = Collector(
        "carly", AgentSettings(carly), feed, wants=wanted.__contains__
    )

    async def is_in_feed() -> bool:
        return any(feed.board.task("carly", task_id) for task_id in wanted)

    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(collector.run)
        strange = await start_over_jsonrpc(carly)
        wanted.add(await start_over_jsonrpc(carly))
        # One page lists both tasks, so the other task would be in the feed too.
        await wait_until(is_in_feed, "the wanted task", 30)
        assert feed.board.task("carly", strange) is None
        group.cancel_scope.cancel()


class TestSettings:
    @pytest.mark.parametrize(
        ("agents", "host", "words"),
        [
            ({"Carly": "http://127.0.0.1:1"}, None, r"agents\['Carly'\] is not a"),
            ({"carly": "127.0.0.1:1"}, None, r"agents\['carly'\] "),
            (None, "localhost:8000", "host= "),
            ({}, "http://127.0.0.1:1", "use agents or host, not both"),
        ],
    )
    def test_invalid_values_are_refused_at_once(
        self, agents: dict[str, str] | None, host: str | None, words: str
    ) -> None:
        with pytest.raises(ConfigError, match=words):
            TaskManager(agents, host=host)

    def test_secrets_are_not_in_errors(self) -> None:
        url = "http://me:hush@127.0.0.1:1"
        for agents, host in (({"carly": url}, None), (None, url)):
            with pytest.raises(ConfigError) as refused:
                TaskManager(agents, host=host)
            assert "hush" not in str(refused.value)

    def test_invalid_values_in_a_file_are_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "courtside.toml").write_text("[agents.carly]\nurl = 5\n")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError, match=r"courtside.toml.*agents.carly.url"):
            TaskManager()


async def test_manager_can_have_no_agents() -> None:
    async with TaskManager({}) as manager:
        assert await updates_of(manager) == []
        with pytest.raises(Exception, match="there are: no agents"):
            await manager.start_task("calendar_check")
