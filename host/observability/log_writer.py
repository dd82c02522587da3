"""Writes log lines from a thread, so that an unread pipe never stops the host.

A write to a full pipe waits until somebody reads. In the event loop, it would stop
every agent and every reader.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections import deque

from .logfmt import Line

MAX_LINES = 10_000
MAX_BYTES = 4 * 1024 * 1024
WRITE_BYTES = 64 * 1024  # As much as a pipe holds.
FLUSH_S = 1.0  # At its end, the host waits so long for the reader of its log.


class LogWriter(logging.Handler):
    """Writes to a file descriptor. Drops the lines for which it has no room.

    It counts them, and writes the number where the lines are missing. Lines that are
    waiting when the process ends are written then, within FLUSH_S.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._changed = threading.Condition()
        self._lines: deque[bytes | None] = deque()
        """None stands where lines are missing, once."""
        self._size = 0
        self._dropped = 0
        self._is_marked = False
        self._is_writing = False
        self._is_stuck = False
        """Whether `flush` has waited in vain. It does not wait again."""
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line, without waiting."""
        line = self._encode(record)
        with self._changed:
            has_room = (
                len(self._lines) < MAX_LINES and self._size + len(line) <= MAX_BYTES
            )
            self._dropped += not has_room
            if self._dropped and not self._is_marked:
                self._lines.append(None)
                self._is_marked = True
            if has_room:
                self._lines.append(line)
                self._size += len(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until every line is written, but at most FLUSH_S."""
        with self._changed:
            if not self._is_stuck:
                self._is_stuck = not self._changed.wait_for(self._is_idle, FLUSH_S)

    def close(self) -> None:
        self.flush()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        super().close()

    def _is_idle(self) -> bool:
        return not self._lines and not self._is_writing

    def _encode(self, record: logging.LogRecord) -> bytes:
        try:
            text = self.format(record)
        except Exception as error:  # A library logged a wrong number of arguments.
            line = Line(message=str(record.msg), cause=f"not formatted: {error!r}")
            text = self.format(_warning(line))
        return f"{text}\n".encode("utf-8", "backslashreplace")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._is_closed)
                if self._is_closed:
                    return
                lines = self._take()
                self._is_writing = True
            if not self._write(b"".join(lines)):
                with self._changed:
                    self._dropped += len(lines)

    def _take(self) -> list[bytes]:
        lines: list[bytes] = []
        size = 0
        while self._lines and size < WRITE_BYTES:
            line = self._lines.popleft()
            if line is None:
                line = self._report()
            else:
                self._size -= len(line)
            lines.append(line)
            size += len(line)
        return lines

    def _report(self) -> bytes:
        """Return the line that says how many lines are missing in its place."""
        line = Line(dropped_lines=self._dropped, cause="nobody read the log in time")
        self._dropped, self._is_marked = 0, False
        return self._encode(_warning(line))

    def _write(self, data: bytes) -> bool:
        """Return whether everything is written. Waits for the reader."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select((), (self._fd,), ())
            except OSError:  # The reader is gone, or the disk is full.
                return False
        return True


def _warning(line: Line) -> logging.LogRecord:
    name = "courtside.log_writer"
    return logging.LogRecord(name, logging.WARNING, "", 0, line, (), None)
