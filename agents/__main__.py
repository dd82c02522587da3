"""Starts one agent: `python -m agents carly --port 8001`.

process.py runs it. It is imported after the signal handlers are set, because a signal
during an import would print a traceback.
"""

import os
import signal
from types import FrameType


def exit_on_signals() -> None:
    """Exit at once, with code 0, on SIGINT and SIGTERM until uvicorn handles them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    exit_on_signals()
    from .process import main

    main()
