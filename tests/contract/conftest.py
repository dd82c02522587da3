"""Fixtures of the log contract: each log, and a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host.log.contract import Log
from host.log.memory_log import MemoryLog
from host.log.sqlite_log import SqliteLog
from tests.contract.clock import Clock


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    opened: Log
    opened = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "f.db")
    yield opened
    await opened.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
