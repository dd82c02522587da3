"""Runs the command line: `courtside`, or `python -m courtside`.

The command line itself is in `host/cli/`.
"""

from __future__ import annotations

from importlib import import_module

from . import HOST


def main() -> None:
    import_module(f"{HOST}.__main__").main()


if __name__ == "__main__":
    main()
