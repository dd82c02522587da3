"""Simulates a full disk for one process, with a small tmpfs or a file size limit.

`full_disk` returns the one that this machine supports.
"""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

DISK_MB = 128
LIMIT_BYTES = 64 * 1024
"""Smaller than any log in use, larger than the host's output on stderr."""
PIECE = bytes(256 * 1024)


class FullDisk(Protocol):
    """`kind` is a description for people."""

    kind: str

    def fill(self) -> None:
        """Make all writes fail."""

    def free(self) -> None:
        """Make writes work again."""


class SmallDisk:
    """A small file system in memory. One large file fills it."""

    kind = f"a tmpfs of {DISK_MB} MB"

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as ballast:
            for piece in (PIECE, PIECE[:4096], PIECE[:1]):
                try:
                    while ballast.write(piece):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


class SmallFiles:
    """A limit on the size of each file of one process."""

    kind = "a limit on the size of files"

    def __init__(self, pid: Callable[[], int], size: int = LIMIT_BYTES) -> None:
        self._pid, self._size = pid, size

    def fill(self) -> None:
        self._limit(self._size)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        resource.prlimit(
            self._pid(), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)
        )


@contextmanager
def full_disk(folder: Path, pid: Callable[[], int]) -> Iterator[FullDisk | None]:
    """Yield a full disk for `folder`, where the process `pid` writes.

    Yields None if this machine supports neither way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ("-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder)
    mounted = os.geteuid() == 0 and not _run("mount", *options)
    try:
        if mounted:
            yield SmallDisk(folder)
        elif hasattr(resource, "prlimit"):
            yield SmallFiles(pid)
        else:
            yield None
    finally:
        if mounted:
            # Keep the files of a failed test.
            kept = folder.with_name(f"{folder.name}-kept")
            subprocess.run(["cp", "-a", folder, kept], check=False)
            _run("umount", "--lazy", folder)
            folder.rmdir()
            kept.rename(folder)


def _run(*argv: str | Path) -> int:
    return subprocess.run(argv, capture_output=True, check=False).returncode
