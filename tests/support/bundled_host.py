"""Runs the host with other static files of the page, such as a bundle.

`python -m tests.support.bundled_host STATIC …`: the other options are the host's.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import host.app
from dashboard.app import create_app
from host.cli.main import main

if __name__ == "__main__":
    static = Path(sys.argv.pop(1))
    with_static = partial(create_app, static=static)
    vars(host.app)["create_dashboard"] = with_static
    main()
