"""Owns the form of a log line: one line of key=value or JSON, whatever stands in it.

Every module says with `Line` what changed; the command line puts `Lines` on stderr.
"""

from __future__ import annotations

import json
import logging
import re

from ..errors import CourtsideError
from ..model.timestamps import format_timestamp
from .redaction import redact

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
    """Writes each record as one line, a library's too; a traceback is a value.

    Where a library reports an error of ours, its cause says enough.
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self._is_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        line, known = record.msg, None
        if not isinstance(line, Line):
            line = Line(message=record.getMessage())
            known = _known(record.exc_info[1]) if record.exc_info else None
        told: dict[str, object] = {
            "at": format_timestamp(record.created),
            "level": record.levelname,
            "from": record.name,
            **{key: _short(value) for key, value in line.said.items()},
        }
        if known:
            told["cause"] = _short(known)
        elif record.exc_info:
            told["traceback"] = redact(self.formatException(record.exc_info))
        return _json(told) if self._is_json else str(Line(**told))


def _known(error: BaseException | None) -> CourtsideError | None:
    """The error of ours that it is, or that a library raised it for."""
    for one in (error, error and error.__cause__):
        if isinstance(one, CourtsideError):
            return one
    return None


def _short(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    text = redact(str(value))
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
