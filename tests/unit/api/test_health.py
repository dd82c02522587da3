"""Tests when the host is ready, and the buckets of a duration histogram.

Covers host/api/health.py and host/model/histogram.py. A real host is tested in
integration/test_observability.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from host.app import Host
from host.errors import LogError
from host.log.memory_log import MemoryLog
from host.model.histogram import DurationHistogram
from tests.support.in_process_host import create_host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return create_host(tmp_path, MemoryLog())


async def readiness(host: Host) -> tuple[int, Any]:
    transport = httpx.ASGITransport(host)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost"
    ) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["cause"]


async def test_host_is_not_ready_before_it_has_started(host: Host) -> None:
    assert await readiness(host) == (503, "the host is starting")


async def test_stopping_host_is_not_ready(host: Host) -> None:
    async with host.running():
        assert await readiness(host) == (200, None)
        host.stop()
        assert await readiness(host) == (503, "the host is stopping")


async def test_host_with_a_failing_log_is_not_ready(host: Host) -> None:
    async with host.running():
        host.feed.queue.failure = LogError("database or disk is full")
        result = await readiness(host)
        host.feed.queue.failure = None

    assert result == (503, "the log fails: database or disk is full")


def test_bucket_includes_its_upper_bound() -> None:
    durations = DurationHistogram(0.1, 1)
    for duration_s in (0.05, 0.1, 0.5, 7):
        durations.add(duration_s)

    assert durations.counts == [2, 1, 1]
    assert durations.sum_s == pytest.approx(7.65)
