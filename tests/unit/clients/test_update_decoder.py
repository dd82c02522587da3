"""Tests of host/clients/bindings/update_decoder.py: where large items are decoded."""

from __future__ import annotations

import threading

import anyio
import pytest

from host.clients.bindings.update_decoder import (
    LARGE,
    LARGE_BYTES_PER_S,
    UpdateDecoder,
)
from host.clients.loop_budget import LoopBudget
from host.clients.rate_limit import RateLimiter


async def test_large_item_is_decoded_in_a_thread_at_a_limited_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    decoder = UpdateDecoder(RateLimiter(), LoopBudget())

    assert await decoder.run(threading.get_ident, LARGE) == threading.get_ident()
    assert waits == []
    assert await decoder.run(threading.get_ident, LARGE + 1) != threading.get_ident()
    assert waits == [(LARGE + 1) / LARGE_BYTES_PER_S]
