"""Tests `scripts/bench transports`: which updates each transport delivers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.transports import HEAD, TRANSPORTS, Reader, agent, measure
from tests.support.harness import ROOT

UPDATES, TASKS = 5, 2


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with agent(tmp_path_factory.mktemp("agent"), UPDATES, 0.02) as url:
        yield url


@pytest.mark.parametrize("transport", ["SSE", "WebSocket", "push notifications"])
async def test_streams_and_push_deliver_all_updates(url: str, transport: str) -> None:
    late, received, requests, wire_bytes, cpu = await measure(url, transport, TASKS)

    assert received == "100%"
    assert requests == ("6" if transport == "push notifications" else "1")
    assert int(wire_bytes) > 300
    assert late.endswith(" ms")
    assert cpu.endswith(" µs")


async def test_polling_is_late_and_misses_updates(url: str) -> None:
    late, received, requests, *_ = await measure(url, "polling every 0.25 s", TASKS)

    assert int(received.removesuffix("%")) < 100
    assert int(requests) > 1
    assert float(late.partition(" ")[0]) > 100


def test_missed_update_is_as_late_as_the_next_received_one() -> None:
    reader = Reader("1", received=[(1, 2_000_000), (3, 9_000_000)])

    assert reader.late_ms([1_000_000, 4_000_000, 8_000_000]) == [1, 5, 1]


def test_lesson_shows_the_printed_table() -> None:
    pages = ROOT / "docs" / "lesson" / "going-further"
    page = (pages / "transports.md").read_text(encoding="utf-8")
    head, _, *rows = [line for line in page.splitlines() if line.startswith("| ")][:7]

    assert [cell.strip() for cell in head.split("|")[2:-1]] == list(HEAD)
    assert [row.split("|")[1].strip() for row in rows] == list(TRANSPORTS)
