"""Owns the promise of `scripts/bench transports`: each way tells all that it can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.transports import HEAD, WAYS, Reader, agent, measure
from tests.support.harness import ROOT

UPDATES, TASKS = 5, 2


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with agent(tmp_path_factory.mktemp("agent"), UPDATES, 0.02) as url:
        yield url


@pytest.mark.parametrize("way", ["SSE", "WebSocket", "push notifications"])
async def test_what_is_sent_arrives_whole(url: str, way: str) -> None:
    late, told, requests, wire_bytes, cpu = await measure(url, way, TASKS)

    assert told == "100%"
    assert requests == ("6" if way == "push notifications" else "1")
    assert int(wire_bytes) > 300
    assert late.endswith(" ms")
    assert cpu.endswith(" µs")


async def test_what_is_polled_for_comes_late_and_in_part(url: str) -> None:
    late, told, requests, *_ = await measure(url, "polling every 0.25 s", TASKS)

    assert int(told.removesuffix("%")) < 100
    assert int(requests) > 1
    assert float(late.partition(" ")[0]) > 100


def test_an_update_that_was_overtaken_is_as_late_as_the_one_that_overtook_it() -> None:
    reader = Reader("1", known=[(1, 2_000_000), (3, 9_000_000)])

    assert reader.late_ms([1_000_000, 4_000_000, 8_000_000]) == [1, 5, 1]


def test_the_lesson_shows_the_table_that_is_printed() -> None:
    page = (ROOT / "docs" / "lesson" / "transports.md").read_text(encoding="utf-8")
    head, _, *rows = [line for line in page.splitlines() if line.startswith("| ")][:7]

    assert [cell.strip() for cell in head.split("|")[2:-1]] == list(HEAD)
    assert [row.split("|")[1].strip() for row in rows] == list(WAYS)
