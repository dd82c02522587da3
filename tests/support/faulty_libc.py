"""Gives one process a failing disk and a wrong clock, with faulty_libc.c.

Start the process with `env`. A change applies to its next system call.
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
    """This machine cannot build a library for LD_PRELOAD."""


def compile_library(name: str, folder: Path) -> Path:
    """Compile tests/support/`name`.c. Return the library. Raises NoCompiler."""
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
    """Faults for processes with files in `data`. The control file is in `folder`."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._control = folder / "faulty_libc.control"
        self._writes = self._ahead_ns = 0
        self._update()
        self.env = {
            "LD_PRELOAD": str(compile_library("faulty_libc", folder)),
            "FAULTY_CONTROL": str(self._control),
            "FAULTY_DIR": str(data),
        }

    def fail_writes(self, cause: int = errno.ENOSPC) -> None:
        self._writes = cause
        self._update()

    def allow_writes(self) -> None:
        """Stop the write errors. The clock stays as it is."""
        self._writes = 0
        self._update()

    def set_clock(self, ahead_s: float) -> None:
        self._ahead_ns = int(ahead_s * 1e9)
        self._update()

    def _update(self) -> None:
        state = CONTROL.pack(self._writes, self._ahead_ns)
        # Write in place, because the process has mapped the file.
        with self._control.open("r+b" if self._control.exists() else "wb") as control:
            control.write(state)
