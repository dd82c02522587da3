"""Agents with bad streams: the host counts dropped updates and names the agent.

A real host follows the agents of tests/support/bad_streams.py and a good one.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.support.agent_events import wait_for_events, wait_for_row
from tests.support.bad_streams import BURST, NAMES
from tests.support.harness import Server, free_port
from tests.support.host_client import HostClient, host_at, watch_feed
from tests.support.process_memory import peak_mb
from tests.support.stack import Stack

COSTLY = {
    "tinycard": "it slowly: its HTTP has very many small chunks",
    "interimcard": "over 100 interim responses",
    "tinychunks": "very many small chunks",
    "interim": "over 100 interim responses",
    "trailers": "Too many headers",
    "comments": "very many comments",
    "jsonlines": "empty lines or short lines",
    "oddjson": "its JSON takes very long to read",
}
"""Each takes the host much time to read, and the words with which the host says so."""
LOUD = (
    *("flood", "burst", "numberedburst", "heavy", "swarm", "endless", "chatter"),
    *COSTLY,
)
"""These send as much as the host reads. Each runs almost alone on the machine."""
MAX_PEAK_MB = 250
"""The host alone needs about 80 MB. The largest stream sends 100 MB at once."""


@contextmanager
def bad_streams(folder: Path) -> Iterator[dict[str, str]]:
    """Run all agents. Yield their URLs by name."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = Server(
        "bad_streams",
        [sys.executable, "-m", "tests.support.bad_streams", str(port)],
        folder=folder,
        url=url,
        ready_path="/plain/.well-known/agent-card.json",
    )
    # The kernel accepts connections that no process reads.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        server.start()
        server.wait_ready(server.ready_url)
        try:
            yield {name: f"{url}/{name}" for name in NAMES} | {
                "deaf": f"http://127.0.0.1:{deaf.getsockname()[1]}"
            }
        finally:
            server.kill()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a host with all agents that do not send much."""
    folder = tmp_path_factory.mktemp("stack")
    with bad_streams(folder) as urls:
        quiet = {name: url for name, url in urls.items() if name not in LOUD}
        with Stack(folder, ["carly"], extra_agents=quiet) as running:
            yield running


@asynccontextmanager
async def host_with(
    agent: str, folder: Path, module: str = "host"
) -> AsyncIterator[tuple[Stack, HostClient]]:
    """Run a host that follows a good agent and a bad one."""
    with (
        bad_streams(folder) as urls,
        Stack(
            folder, ["carly"], extra_agents={agent: urls[agent]}, module=module
        ) as running,
    ):
        async with host_at(running.url) as client:
            yield running, client


async def follow_good_task(stack: Stack, host: HostClient) -> None:
    """Follow a task of the good agent to its end, without a gap."""
    async with watch_feed(f"{stack.url}/feed?agent=carly") as reader:
        task_id = await host.start("carly")
        await reader.until_over(task_id)
    assert reader.of_task(task_id)[-1]["status"] == "completed"
    assert {event["kind"] for event in reader.events} == {"task", "artifact"}


async def test_good_agent_is_followed_beside_quiet_agents(
    stack: Stack, host: HostClient
) -> None:
    await follow_good_task(stack, host)


@pytest.mark.parametrize(
    ("agent", "words", "module"),
    [
        # On a slow machine, the limit of the time would come first.
        ("flood", "more than 2500 updates a second", "tests.support.patient_host"),
        ("swarm", "of its tasks are open", "host"),
        ("endless", "without end", "host"),
    ],
)
async def test_good_agent_is_followed_while_a_flood_is_slowed_and_reported(
    tmp_path: Path, agent: str, words: str, module: str
) -> None:
    async with host_with(agent, tmp_path, module) as (stack, host):
        row = await wait_for_row(host, agent, words)
        await follow_good_task(stack, host)

        assert row["connection"] == "connected"
        assert peak_mb(stack.host.pid) < MAX_PEAK_MB
        assert "Traceback" not in stack.host.output()


@pytest.mark.parametrize(("agent", "words"), COSTLY.items())
async def test_good_agent_is_followed_beside_an_agent_that_is_costly_to_read(
    tmp_path: Path, agent: str, words: str
) -> None:
    async with host_with(agent, tmp_path) as (stack, host):
        await wait_for_row(host, agent, words)
        await follow_good_task(stack, host)

        assert peak_mb(stack.host.pid) < MAX_PEAK_MB
        assert "Traceback" not in stack.host.output()


@pytest.mark.parametrize("agent", ["chatter", "heavy"])
async def test_slowed_agent_loses_nothing(tmp_path: Path, agent: str) -> None:
    """The host slows down endless comments and updates of 3 MB."""
    async with host_with(agent, tmp_path) as (stack, host):
        await wait_for_events(host, agent, "update 1")
        await follow_good_task(stack, host)

        assert peak_mb(stack.host.pid) < MAX_PEAK_MB
        kinds = {event["kind"] for event in await host.history(after=0, agent=agent)}
        assert "gap" not in kinds


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("deaf", "timeout"),
        ("slowcard", "timeout"),
        ("hugecard", "over 1 MiB"),
        ("packedcard", "over 1 MiB"),
    ],
)
async def test_agent_that_cannot_be_followed_is_lost_with_its_cause(
    host: HostClient, agent: str, words: str
) -> None:
    row = await wait_for_row(host, agent, words)

    assert row["connection"] == "lost"
    assert row["retry_s"] > 0


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("wrongtype", "text/html"),
        ("huge", "4 MiB"),
        ("garbled", "bad response"),
        ("foreign", "bad response"),
        ("hugelist", "ListTasks fails: too large: over 8 MiB"),
        ("http500", "ListTasks fails: HTTP 500"),
        ("loop", "ListTasks fails: HTTP 307"),
    ],
)
async def test_agent_with_bad_responses_is_connected_with_its_trouble(
    host: HostClient, agent: str, words: str
) -> None:
    row = await wait_for_row(host, agent, words)

    assert row["connection"] == "connected"


@pytest.mark.parametrize("agent", ["huge", "garbled", "foreign"])
async def test_unusable_event_is_a_gap_of_one_at_its_place(
    host: HostClient, agent: str
) -> None:
    before, gap, after = (await wait_for_events(host, agent, "after"))[-3:]

    assert (before["message"], after["message"]) == ("before", "after")
    assert gap["kind"] == "gap"
    assert gap["missing"] == 1


async def test_bytes_that_are_not_utf_8_are_replaced(
    host: HostClient,
) -> None:
    events = await wait_for_events(host, "binary", "after")

    messages = [event["message"] for event in events]
    assert messages == ["update 1", "before", "caf\N{REPLACEMENT CHARACTER}", "after"]


@pytest.mark.parametrize("agent", ["burst", "numberedburst"])
async def test_every_update_of_a_flood_is_in_the_feed_or_counted(
    tmp_path: Path, agent: str
) -> None:
    async with host_with(agent, tmp_path) as (_, host):
        events = await wait_for_events(host, agent, f"update {BURST + 1}")

    *before, last = events
    at = 0
    for event in before:
        if event["kind"] == "gap":
            at += event.get("missing", 0)
        else:
            at += 1
            assert event["message"] == f"update {at}"
    # The last update is in the feed even if it was dropped.
    assert at in (BURST, BURST + 1)
    assert last["status"] == "completed"


async def test_task_of_a_silent_stream_is_read_from_its_agent(
    host: HostClient,
) -> None:
    (row,) = await wait_for_events(host, "mum", "update 1")

    assert row["status"] == "running"


async def test_quiet_agents_together_do_not_fill_the_memory(
    stack: Stack, host: HostClient
) -> None:
    for agent in ("hugecard", "hugelist"):
        await wait_for_row(host, agent, "MiB")
    await wait_for_events(host, "huge", "after")

    assert peak_mb(stack.host.pid) < MAX_PEAK_MB


async def test_no_bad_stream_is_logged_as_a_crash(
    stack: Stack, host: HostClient
) -> None:
    await wait_for_row(host, "deaf", "timeout")

    assert "Traceback" not in stack.host.output()
    assert (await host.get("/healthz"))["status"] == "ok"
