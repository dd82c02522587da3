"""Writes and reads courtside.toml files for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.config.load import read
from host.errors import ConfigError


def write_file(folder: Path, text: str) -> Path:
    path = folder / "courtside.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read_error(folder: Path, text: str) -> str:
    """Return the error for a courtside.toml that contains `text`."""
    write_file(folder, text)
    with pytest.raises(ConfigError) as refused:
        read({}, {}, folder)
    return str(refused.value)
