"""Shortens the waits of the following core, so that a history takes little time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from host.discovery import discovery, listing
from host.following import collector, followers, listed_end, task_reader, task_repair
from host.merging import follower_states

SHORT: list[tuple[Any, str, object]] = [
    (collector, "MAX_RETRY_S", 0.1),
    (discovery, "CARD_POLL_S", 0.02),
    (listing, "RETRY_S", (0.1,)),
    (listing, "CALL_S", 1.0),
    (task_repair, "UNSTORED_S", 0.2),
    (listed_end, "READ_AFTER_S", (0.3, 0.3, 0.3)),
    (follower_states, "RETRY_S", (0.0, 0.01, 0.05, 0.1)),
    (followers, "CHECK_S", 0.1),
    (task_reader, "PROOF_S", 0.05),
    (task_reader, "TASK_POLL_S", 0.03),
]


@contextmanager
def fast_following() -> Iterator[None]:
    with ExitStack() as stack:
        for module, name, value in SHORT:
            stack.enter_context(mock.patch.object(module, name, value))
        yield
