"""Handles a closed pipe on stdout, as in `courtside tail | head -3`: not an error."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Leave the block quietly when the pipe is closed."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would flush again at exit, and print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_when_pipe_closes() -> None:
    """End this process as soon as the reader is gone, not only at the next line."""
    if hasattr(select, "poll"):
        threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # Errors are reported in any case.
    poll.poll()
    os._exit(0)
