"""Drives a real host to the limits of its readers, and one beyond, over sockets.

A query at the limit is answered. One beyond gets an error that names the limit.
docs/limits.md has the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from host.api.feed_stream import MAX_EVERY_MS
from host.api.history import MAX_LIMIT
from host.api.sessions import MAX_WRONG_TOKENS
from host.feed.search import MAX_CHARS
from host.model.debug_state import MAX_SHOWN
from tests.support.host_client import HostClient, client, watch_feed
from tests.support.process_memory import memory_mb
from tests.support.stack import Stack
from tests.support.waiting import wait_until

MAX_GROWTH_MB = 64
READERS = 2 * MAX_SHOWN
QUERIES = {
    "limit": ("/feed.ndjson?limit=%s", MAX_LIMIT, MAX_LIMIT + 1, "from 1 to 10000"),
    "every_ms": ("/feed?every_ms=%s", MAX_EVERY_MS, MAX_EVERY_MS + 1, "from 0 to 1000"),
    "q": (
        "/feed.ndjson?limit=1&q=%s",
        "x" * MAX_CHARS,
        "x" * (MAX_CHARS + 1),
        "q has 201 characters; the limit is 200",
    ),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("limits"), ["carly"]) as stack:
        yield stack


async def get(host: HostClient, path: str) -> tuple[int, str]:
    """Return the status, and the body of an error. A feed has no end."""
    async with host.http.stream("GET", path) as answer:
        if answer.status_code == 200:
            return 200, ""
        return answer.status_code, (await answer.aread()).decode()


@pytest.mark.parametrize("name", QUERIES)
async def test_query_beyond_a_limit_is_refused_with_the_limit(
    host: HostClient, name: str
) -> None:
    path, at_limit, beyond, words = QUERIES[name]

    assert await get(host, path % at_limit) == (200, "")
    status, body = await get(host, path % beyond)

    assert status == 400
    assert words in body


async def test_history_with_a_limit_has_no_more_events(host: HostClient) -> None:
    task_id = await host.start("carly")
    await host.row_with(task_id, "completed")

    assert len(await host.history(after=0, limit=3)) == 3


async def test_wrong_tokens_beyond_the_limit_get_429(tmp_path: Path) -> None:
    with Stack(tmp_path, [], token="a-token-of-the-test", log="memory") as stack:
        async with client(stack.url) as http:
            answers = [
                await http.get(
                    "/agents", headers={"authorization": f"Bearer wrong{number}"}
                )
                for number in range(MAX_WRONG_TOKENS + 1)
            ]
            healthy = await http.get("/readyz")

    statuses = [answer.status_code for answer in answers]
    assert statuses == [401] * MAX_WRONG_TOKENS + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert healthy.status_code == 200


async def test_readers_beyond_the_limits_disturb_no_agent(
    stack: Stack, host: HostClient
) -> None:
    """Many readers do not read, and /debug shows only some of them."""
    port = int(stack.url.rpartition(":")[2])
    before = memory_mb(stack.host.pid)
    async with AsyncExitStack() as readers:
        for _ in range(READERS):
            reader = await anyio.connect_tcp("127.0.0.1", port)
            await readers.enter_async_context(reader)
            await reader.send(b"GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n")

        async def have_joined() -> bool:
            return bool((await host.get("/debug.json"))["readers"] >= READERS)

        await wait_until(have_joined, "all readers")
        state = await host.get("/debug.json")
        for path, _, beyond, _ in QUERIES.values():
            assert (await get(host, path % beyond))[0] == 400
        async with watch_feed(f"{stack.url}/feed?agent=carly") as feed:
            task_id = await host.start("carly")
            await feed.until_over(task_id)

    assert len(state["furthest_behind"]) == MAX_SHOWN
    assert (await host.http.get("/readyz")).status_code == 200
    assert memory_mb(stack.host.pid) - before < MAX_GROWTH_MB
