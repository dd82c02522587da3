"""Owns the host's own settings: each one's name, default, meaning and form.

`config` looks their values up, the command line makes flags of them, docs list them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

LOGS = ("sqlite", "memory")
FORMATS = ("logfmt", "json")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

T = TypeVar("T")


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting of the host: `--data-dir`, COURTSIDE_DATA_DIR, `[host] data_dir`.

    `parse` makes the value of its text. It raises ValueError with what is wrong and
    what it may be, as the end of a sentence that begins with where it stands.
    """

    name: str
    default: str
    help: str
    parse: Callable[[str], T]
    secret: bool = False
    """Whether it is set may be shown, what it is may not."""

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        return f"COURTSIDE_{self.name.upper()}"


def _address(text: str) -> str:
    if text not in LOOPBACK:
        raise ValueError(
            f"the host listens on this machine only, not on {text!r}: "
            f"use one of {', '.join(LOOPBACK)}"
        )
    return text


def port(text: str) -> int:
    """1 to 65535. Raises ValueError."""
    if not is_number(text) or not 0 < int(text) < 65536:
        raise ValueError(f"{text!r} is not a port: use 1 to 65535")
    return int(text)


def _log(text: str) -> str:
    if text not in LOGS:
        raise ValueError(f"{text!r} is not a log: use {' or '.join(LOGS)}")
    return text


def _form(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"{text!r} is no form of lines: use {' or '.join(FORMATS)}")
    return text


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError(f"{text!r} is neither on nor off")
    return text == "on"


def _count(text: str) -> int:
    if not is_number(text):
        raise ValueError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def is_number(text: str) -> bool:
    """Digits only: `int` takes signs and blanks, `isdigit` takes a superscript."""
    return text.isascii() and text.isdigit()


HOST = Setting("host", "127.0.0.1", "Address to listen on.", _address)
PORT = Setting("port", "8000", "Port to listen on.", port)
DATA_DIR = Setting("data_dir", ".courtside", "Folder of the log.", str)
LOG = Setting("log", "sqlite", "Where the log is kept: sqlite or memory.", _log)
KEEP_EVENTS = Setting("keep_events", "1000000", "Events that the log keeps.", _count)
KEEP_S = Setting(
    "keep_s", "0", "Seconds that the log keeps an event, 0 for ever.", _count
)
LOG_FORMAT = Setting(
    "log_format", "logfmt", "Form of the lines on stderr: logfmt or json.", _form
)
TRACE = Setting(
    "trace", "off", "Pass the trace of a request on to its agent: on or off.", _switch
)

SETTINGS: tuple[Setting[Any], ...] = (
    *(HOST, PORT, DATA_DIR, LOG, KEEP_EVENTS, KEEP_S),
    *(LOG_FORMAT, TRACE),
)
