"""Owns the host's own settings: each one's name, default, meaning and form.

`config` looks their values up, the command line makes flags of them, docs list them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

CONFIG_FILE = "courtside.toml"
LOG_FILE = "feed.db"
LOGS = ("sqlite", "memory")
FORMATS = ("logfmt", "json")
MIN_TOKEN = 16  # A person's own words are guessed; 16 random characters are not.
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

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
    """Whether it is set may be shown, what it is may not; and its flag takes only
    env:NAME or file:PATH, as `ps` shows flags."""

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        return f"COURTSIDE_{self.name.upper()}"


def _address(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text, re.ASCII):
        raise ValueError(
            f"{text[:100]!r} is no address to listen on: use 127.0.0.1 for this "
            "machine only, 0.0.0.0 for all"
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


def _token(text: str) -> str:
    if text and not re.fullmatch(rf"[\x21-\x7e]{{{MIN_TOKEN},}}", text):
        raise ValueError(
            f"a token is {MIN_TOKEN} or more visible ASCII characters without blanks"
        )
    return text


def words(text: str) -> list[str]:
    """A list as text: divided by commas or blanks."""
    return re.split(r"[\s,]+", text.strip(" ,")) if text.strip(" ,") else []


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(map(ipaddress.ip_network, words(text)))
    except ValueError as error:
        raise ValueError(
            f"{error}: use addresses or networks, as 10.0.0.2 or 10.0.0.0/24"
        ) from None


def _names(text: str) -> tuple[str, ...]:
    for name in words(text):
        if not re.fullmatch(r"[\w-]+(\.[\w-]+)*|[0-9a-fA-F:]+", name, re.ASCII):
            raise ValueError(
                f"{name[:100]!r} is no host: use names alone, as courtside.example"
            )
    return tuple(name.lower() for name in words(text))


def _origins(text: str) -> tuple[str, ...]:
    for origin in words(text):
        parts = urlsplit(origin)
        plain = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme not in ("http", "https") or origin != plain or not parts.netloc:
            raise ValueError(
                f"{origin[:100]!r} is no origin: use https://app.example, with its "
                "port where it has one, and no path"
            )
    return tuple(words(text))


def _private(text: str) -> bool | None:
    if text not in PRIVATE:
        raise ValueError(f"{text[:20]!r} is none of {', '.join(PRIVATE)}")
    return PRIVATE[text]


PRIVATE = {"auto": None, "yes": True, "no": False}


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

TOKEN = Setting(
    "token", "", "What opens everything; as env:NAME or file:PATH.", _token, True
)
READ_TOKEN = Setting(
    "read_token", "", "What opens all that can be read; as the token.", _token, True
)
TLS_CERT = Setting("tls_cert", "", "Certificate chain (PEM), to serve https.", str)
TLS_KEY = Setting("tls_key", "", "The certificate's private key (PEM).", str)
TRUSTED_PROXIES = Setting(
    "trusted_proxies", "", "Proxies whose X-Forwarded-* is believed.", _networks
)
ALLOWED_HOSTS = Setting(
    "allowed_hosts", "", "Names, besides this machine's, to be asked by.", _names
)
ALLOWED_ORIGINS = Setting(
    "allowed_origins", "", "Other pages that may read and write (CORS).", _origins
)
PRIVATE_AGENTS = Setting(
    "private_agents",
    "auto",
    "If agents added at run time may be at private addresses: yes, no, or auto: "
    "where only this machine can reach the host.",
    _private,
)

SETTINGS: tuple[Setting[Any], ...] = (
    *(HOST, PORT, DATA_DIR, LOG, KEEP_EVENTS, KEEP_S),
    *(LOG_FORMAT, TRACE),
    *(TOKEN, READ_TOKEN, TLS_CERT, TLS_KEY, TRUSTED_PROXIES),
    *(ALLOWED_HOSTS, ALLOWED_ORIGINS, PRIVATE_AGENTS),
)
