"""Owns the form of a log line: one line of key=value or JSON, whatever stands in it.

Every module says with `Line` what changed; the command line puts `Lines` on stderr.
"""

from __future__ import annotations

import json
import logging
import re

from host.moment import stamp

MAX_CHARS = 2_000  # Of one value: what an agent says may be megabytes.
BARE = re.compile(r"[\w.:/@+,%*~()\[\]&;!?-]+", re.ASCII)


class Line:
    """What changed, by key: `logger.info(Line(agent="carly", connection="lost"))`.

    A value that is None is left out.
    """

    def __init__(self, **said: object) -> None:
        self.said = {key: value for key, value in said.items() if value is not None}

    def __str__(self) -> str:
        return " ".join(f"{key}={_word(value)}" for key, value in self.said.items())


class Lines(logging.Formatter):
    """Writes each record as one line, a library's too; a traceback is a value."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._is_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        line: object = record.msg
        if not isinstance(line, Line):
            line = Line(message=record.getMessage())
        told: dict[str, object] = {
            "at": stamp(record.created),
            "level": record.levelname,
            "from": record.name,
            **{key: _short(value) for key, value in line.said.items()},
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return _json(told) if self._is_json else str(Line(**told))


def _short(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS] + "…"


def _word(value: object) -> str:
    text = str(value)
    return text if BARE.fullmatch(text) else _json(text)


def _json(value: object) -> str:
    """Without anything that ends a line, or that a terminal would act on."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
