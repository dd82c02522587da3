"""Prints the number of inputs, and the longest step, at the end of scripts/fuzz."""

from __future__ import annotations

import pytest

from tests.fuzz.many import MANY, longest_s, tried


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not MANY:
        return
    for name, count in tried.most_common():
        line = f"{count:>9,} {name.removeprefix('test_')}"
        if name in longest_s:
            line += f" (longest step: {longest_s[name] * 1000:.1f} ms)"
        terminalreporter.write_line(line)
    in_path = sum(tried[name] for name in longest_s)
    terminalreporter.write_line(f"{tried.total():>9,} inputs in all")
    terminalreporter.write_line(f"{in_path:>9,} of them through the reading path")
