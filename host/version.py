"""Owns which Courtside this is: the version that was installed.

The host's card, its metrics and its description say it.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("courtside")
    except PackageNotFoundError:
        return "0"


VERSION = _version()
