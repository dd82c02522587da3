"""Serves the page without a host: `python -m tests.support.page_server PORT STATIC`.

STATIC is a folder with the page's static files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from dashboard.app import create_app

if __name__ == "__main__":
    uvicorn.run(create_app(static=Path(sys.argv[2])), port=int(sys.argv[1]))
