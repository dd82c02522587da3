"""Owns the entry: `courtside`, or `python -m host`.

What follows is in cli/.
"""

from __future__ import annotations

import os

# Read by the SDK when it is imported; without it each call is traced for nobody.
os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")

from .cli.main import main

if __name__ == "__main__":
    main()
