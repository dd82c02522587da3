"""A failing disk and a wrong clock for one process: faulty_libc.c, steered.

Tests start a process with `env`; what they ask for holds from its next call on.
"""

from __future__ import annotations

import errno
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from tests.support.harness import ROOT

CONTROL = struct.Struct("=qq")


class NoCompiler(Exception):
    """There is nothing here to build a library for LD_PRELOAD with."""


def compile_library(name: str, folder: Path) -> Path:
    """The library made of tests/`name`.c. Raises NoCompiler."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or not sys.platform.startswith("linux"):
        raise NoCompiler(
            f"tests/support/{name}.c needs Linux and a C compiler (cc, gcc, clang)"
        )
    made = folder / f"{name}.so"
    source = ROOT / "tests" / "support" / f"{name}.c"
    options = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")
    subprocess.run([compiler, *options, "-o", made, source, "-ldl"], check=True)
    return made


class FaultyLibc:
    """For processes that use files in `data`; what they suffer is kept in `folder`."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._control = folder / "faulty_libc.control"
        self._writes = self._ahead_ns = 0
        self._tell()
        self.env = {
            "LD_PRELOAD": str(compile_library("faulty_libc", folder)),
            "FAULTY_CONTROL": str(self._control),
            "FAULTY_DIR": str(data),
        }

    def fail_writes(self, cause: int = errno.ENOSPC) -> None:
        self._writes = cause
        self._tell()

    def allow_writes(self) -> None:
        """The disk, not the clock."""
        self._writes = 0
        self._tell()

    def set_clock(self, ahead_s: float) -> None:
        self._ahead_ns = int(ahead_s * 1e9)
        self._tell()

    def _tell(self) -> None:
        told = CONTROL.pack(self._writes, self._ahead_ns)
        # In place: the process has the file mapped.
        with self._control.open("r+b" if self._control.exists() else "wb") as control:
            control.write(told)
