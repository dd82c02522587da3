"""Starts one agent: `python -m agents carly --port 8001`.

process.py does the work. It is imported after the signal handlers are set, because an
exception in the middle of an import would print a traceback.
"""

import os
import signal


def exit_on_signals() -> None:
    """Exit at once, with code 0, on SIGINT and SIGTERM until uvicorn handles them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, frame: os._exit(0))


if __name__ == "__main__":
    exit_on_signals()
    from .process import main

    main()
