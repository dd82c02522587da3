"""The installed version of Courtside."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("courtside")
    except PackageNotFoundError:
        return "0"


VERSION = _version()
