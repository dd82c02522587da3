"""Lets the log of a host fail, and waits until the host reports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faulty_libc import FaultyLibc, NoCompiler
from tests.support.host_client import Json, client
from tests.support.waiting import wait_until


def libc_for(folder: Path) -> FaultyLibc:
    try:
        return FaultyLibc(folder, folder / "data")
    except NoCompiler as reason:
        pytest.skip(str(reason))


async def health(url: str) -> tuple[int, Json]:
    async with client(url) as http:
        answer = await http.get("/healthz")
    return answer.status_code, answer.json()


async def wait_for_failure(url: str) -> str:
    """Wait until the host reports that its log fails. Return the cause."""

    async def cause() -> str | None:
        status, body = await health(url)
        return body["cause"] if status == 503 else None

    return await wait_until(cause, "the host to report a failing log", 30) or ""


async def wait_for_recovery(url: str) -> None:
    async def is_ok() -> bool:
        return (await health(url))[0] == 200

    await wait_until(is_ok, "the host to report a working log", 30)
