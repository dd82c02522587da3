"""Files and folders that only their owner can read, and that survive a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700
DATA_FOLDER = ".courtside"


def opener(path: str, flags: int) -> int:
    """Create files for their owner only: the `opener` of `open`."""
    return os.open(path, flags, FILE_MODE)


def restrict_file(path: Path) -> None:
    """Take an existing file away from other users. Ignores files of other owners."""
    _restrict(path, FILE_MODE)


def prepare_folder(folder: Path) -> None:
    """Create the data folder, or take an existing `.courtside` away from other users.

    A folder with another name may have other files, so it keeps its mode.
    """
    folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    if folder.name == DATA_FOLDER:
        _restrict(folder, FOLDER_MODE)


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _restrict(path: Path, most: int) -> None:
    with suppress(FileNotFoundError, PermissionError):
        mode = path.stat().st_mode & 0o777
        if mode & ~most:
            path.chmod(mode & most)
