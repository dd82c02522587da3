"""Runs the command line: `courtside`, or `python -m host`."""

from __future__ import annotations

import os

# The SDK reads this when it is imported. By default it traces each call, which costs
# time even if nobody collects the traces.
os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")

from .cli.main import main

if __name__ == "__main__":
    main()
