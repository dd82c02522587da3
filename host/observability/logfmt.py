"""Log lines: one line of key=value or JSON for each record.

Modules log a `Line`. The command line installs `LogFormatter`.
"""

from __future__ import annotations

import json
import logging
import re

from ..errors import CourtsideError
from ..model.timestamps import format_timestamp
from .printable import escape
from .redaction import redact

MAX_CHARS = 2_000  # Per value: a text of an agent can be megabytes.
MAX_TRACEBACK = 20_000  # Its begin and its end: an error can have such a text, too.
BARE = re.compile(r"[\w.:/@+,%*~()\[\]&;!?-]+", re.ASCII)


class Line:
    """A log message as fields: `logger.info(Line(agent="carly", connection="lost"))`.

    Fields that are None are omitted.
    """

    def __init__(self, **fields: object) -> None:
        self.fields = {key: value for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        return " ".join(f"{key}={_word(value)}" for key, value in self.fields.items())


class LogFormatter(logging.Formatter):
    """Formats every record as one line, also those of libraries.

    A traceback becomes a field. For our own errors, the message replaces the traceback.
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self._is_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        line, our_error = record.msg, None
        if not isinstance(line, Line):
            line = Line(message=record.getMessage())
            our_error = _our_error(record.exc_info[1]) if record.exc_info else None
        fields: dict[str, object] = {
            "at": format_timestamp(record.created),
            "level": record.levelname,
            "from": record.name,
            **{key: _short(value) for key, value in line.fields.items()},
        }
        if our_error:
            fields["cause"] = _short(our_error)
        elif record.exc_info:
            text = redact(self.formatException(record.exc_info))
            if len(text) > MAX_TRACEBACK:
                half = MAX_TRACEBACK // 2
                text = f"{text[:half]}…{text[-half:]}"
            fields["traceback"] = text
        return _json(fields) if self._is_json else str(Line(**fields))


def _our_error(error: BaseException | None) -> CourtsideError | None:
    """Return the CourtsideError that this error is, or that caused it."""
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
    """Encode as JSON without line ends and terminal control characters."""
    return escape(json.dumps(value, ensure_ascii=False))
