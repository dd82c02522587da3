"""Owns stdout as a pipe: whoever read it may have enough, and that is no failure.

`tail` and `export` write through it.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def may_be_closed() -> Iterator[None]:
    """Ends quietly what is done within, when nobody reads any longer."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python itself would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def end_with_reader() -> None:
    """Ends this process when nobody reads any longer, though there is nothing to say:
    `courtside tail | head -3` is not to wait for a fourth line."""
    if hasattr(select, "poll"):
        threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # Errors are always told.
    poll.poll()
    os._exit(0)
