"""Tests GET /feed.ndjson when the log trims events that are not sent yet.

Covers host/api/history.py behind the host's server, on a real socket.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from host.api.history import PAGE
from host.log.contract import Row
from host.log.memory_log import MemoryLog
from host.model.filter import ALL, Filter
from host.observability.logfmt import LogFormatter
from tests.contract.entries import batch
from tests.support.in_process_host import create_host, serve_app


class TrimmingLog(MemoryLog):
    """A log that trims all but its last event after a page is read."""

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        rows = await super().read(after, limit, where)
        if limit == PAGE:
            await self.trim(1, None)
        return rows


async def test_trimmed_log_aborts_the_response_with_one_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = TrimmingLog()
    await log.append(batch(3 * PAGE))
    host = create_host(tmp_path, log)
    async with (
        host.running(),
        serve_app(host) as port,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await http.get(f"http://127.0.0.1:{port}/feed.ndjson")

    [record] = [each for each in caplog.records if each.name == "uvicorn.error"]
    line = LogFormatter("logfmt").format(record)
    assert "/feed.ndjson stopped at event 1000: events up to 2999 were removed" in line
    assert "raceback" not in line
