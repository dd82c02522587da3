"""Tests of host/observability/log_writer.py with real pipes: a log line never makes its
caller wait, and none is lost in silence."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from host.observability import log_writer
from host.observability.log_writer import FLUSH_S, LogWriter
from host.observability.logfmt import Line, LogFormatter
from tests.support.harness import ROOT
from tests.support.waiting import wait_until_sync

MAX_LINES = 1_000
COUNT = 4 * MAX_LINES
DROPPED = re.compile(r"dropped_lines=(\d+)")


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "MAX_LINES", MAX_LINES)
    monkeypatch.setattr(log_writer, "MAX_BYTES", 500 * MAX_LINES)


@contextmanager
def writing_to_pipe() -> Iterator[tuple[logging.Logger, LogWriter, int]]:
    """Yield a logger, its writer, and the end of the pipe to read from."""
    reading, writing = os.pipe()
    writer = LogWriter(writing)
    writer.setFormatter(LogFormatter("logfmt"))
    logger = logging.Logger("courtside.test")
    logger.addHandler(writer)
    try:
        yield logger, writer, reading
    finally:
        os.close(reading)  # A write that waits fails now.
        writer.close()
        os.close(writing)


class Reader(threading.Thread):
    """Reads a pipe until its end, in the background."""

    def __init__(self, fd: int) -> None:
        super().__init__(daemon=True)
        self._fd = os.dup(fd)
        self.text = ""
        self.start()

    def run(self) -> None:
        while data := os.read(self._fd, 65_536):
            self.text += data.decode()
        os.close(self._fd)

    def numbers(self) -> list[int]:
        return list(map(int, re.findall(r"number=(\d+)", self.text)))

    def dropped(self) -> int:
        return sum(map(int, DROPPED.findall(self.text)))


def test_lines_arrive_complete_and_in_order() -> None:
    with writing_to_pipe() as (logger, _, reading):
        reader = Reader(reading)
        for number in range(MAX_LINES):
            logger.info(Line(number=number))
        wait_until_sync(lambda: len(reader.numbers()) == MAX_LINES, "all the lines", 30)

    assert reader.numbers() == list(range(MAX_LINES))
    assert reader.dropped() == 0


@pytest.mark.parametrize("text", ["", "x" * 1_900], ids=["lines", "bytes"])
def test_unread_pipe_delays_nobody_and_the_lost_lines_are_counted(text: str) -> None:
    with writing_to_pipe() as (logger, writer, reading):
        begun_at = time.monotonic()
        for number in range(COUNT):
            logger.info(Line(number=number, text=text))
        took_s = time.monotonic() - begun_at
        size = writer._size
        reader = Reader(reading)
        wait_until_sync(
            lambda: len(reader.numbers()) + reader.dropped() == COUNT, "all lines", 30
        )
        logger.info(Line(number=COUNT))
        wait_until_sync(lambda: reader.numbers()[-1] == COUNT, "the last line", 30)

    assert took_s < 30
    assert size <= 500 * MAX_LINES
    assert reader.dropped() > MAX_LINES
    # The count stands where the lines are missing.
    before, _, after = reader.text.partition("dropped_lines")
    assert f"number={len(reader.numbers()) - 2} " in f"{before.splitlines()[-2]} "
    assert f"number={COUNT}" in after


def test_reader_that_left_delays_nobody() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LogWriter(writing)
    writer.setFormatter(LogFormatter("logfmt"))
    record = logging.LogRecord("a", 20, "", 0, Line(a=1), (), None)
    for _ in range(10):
        writer.emit(record)
        writer.flush()
    used_s = time.process_time()
    writer.close()
    os.close(writing)

    assert not writer._lines
    assert time.process_time() - used_s < FLUSH_S


def test_record_that_cannot_be_formatted_is_reported() -> None:
    with writing_to_pipe() as (logger, writer, reading):
        logger.info("%d and %d", 1)
        writer.flush()
        text = os.read(reading, 65_536).decode()

    assert "not formatted" in text
    assert "%d and %d" in text
    assert text.count("\n") == 1


PROGRAM = """
import logging, sys
from host.cli.serve import log_to_stderr
from host.observability.logfmt import Line
log_to_stderr()
for number in range(int(sys.argv[1])):
    logging.getLogger("courtside.test").info(Line(number=number))
log_to_stderr("json")
logging.getLogger("courtside.test").info(Line(number=-1))
import warnings
warnings.warn("a warning")
"""


def run_program(lines: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(lines)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_all_lines_are_written_when_the_process_ends() -> None:
    with run_program(COUNT) as process:
        _, text = process.communicate(timeout=60)

    *lines, last, warning = text.splitlines()
    assert [line.partition("number=")[2] for line in lines] == [
        str(number) for number in range(COUNT)
    ]
    assert '"number": -1' in last
    assert "a warning" in warning


def test_process_ends_although_nobody_reads_its_log() -> None:
    with run_program(COUNT) as process:
        code = process.wait(60)
        assert code == 0
        assert process.stderr
        process.stderr.close()


def test_process_without_stderr_works() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, "-c", PROGRAM, "3"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, b"")
