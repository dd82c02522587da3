"""GET /feed.ndjson without a limit, when the log forgets what is still to be told.

host/api/history.py behind the host's server, on a real socket.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from host.api.history import PAGE
from host.log.contract import Row
from host.log.memory import MemoryLog
from host.model.filter import ALL, Filter
from host.observability.logfmt import LogFormatter
from tests.contract.entries import batch
from tests.support.in_process_host import host_alone, serving


class Forgetful(MemoryLog):
    """Keeps its last event only, once somebody has read a page of it."""

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        rows = await super().read(after, limit, where)
        if limit == PAGE:
            await self.trim(1, None)
        return rows


async def test_an_answer_that_breaks_off_is_one_line_of_the_log_and_no_whole_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = Forgetful()
    await log.append(batch(3 * PAGE))
    host = host_alone(tmp_path, log)
    async with (
        host.running(),
        serving(host) as port,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await http.get(f"http://127.0.0.1:{port}/feed.ndjson")

    [record] = [one for one in caplog.records if one.name == "uvicorn.error"]
    said = LogFormatter("logfmt").format(record)
    assert "/feed.ndjson stopped at event 1000: events up to 2999 were removed" in said
    assert "raceback" not in said
