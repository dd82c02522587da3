"""Reads the memory of a process, in MiB."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    if Path("/proc/self/status").exists():
        return _read_status(pid, "VmRSS:")
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    return int(subprocess.check_output(command)) / 1024


def peak_mb(pid: int) -> float:
    """Return the largest resident memory of a process so far."""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells the peak memory of another process")
    return _read_status(pid, "VmHWM:")


def _read_status(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(name)[2].split()[0]) / 1024
