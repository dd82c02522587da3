"""Prints the number of inputs of each test at the end of scripts/fuzz."""

from __future__ import annotations

import pytest

from tests.fuzz.many import MANY, tried


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not MANY:
        return
    for name, count in tried.most_common():
        terminalreporter.write_line(f"{count:>9,} {name.removeprefix('test_')}")
    terminalreporter.write_line(f"{tried.total():>9,} inputs in all")
