"""A clock that a test sets."""

from __future__ import annotations

import time

import pytest


class Clock:
    """Replaces `time.time`. Set `now` to move the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr(time, "time", lambda: self.now)
