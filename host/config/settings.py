"""Lists the settings of the host: name, type, default and help text of each.

`load` reads them; the command line makes flags of them; docs/settings.md lists them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal, get_type_hints

from msgspec import Meta, Struct
from msgspec.structs import fields

from .conversion import Expected, SettingError

CONFIG_FILE = "courtside.toml"
LOG_FILE = "feed.db"
MIN_TOKEN = 16  # Short passwords can be guessed; 16 random characters cannot.
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Help:
    """Annotates a setting with its help text. A secret's value is never shown."""

    text: str
    is_secret: bool = False


Address = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9_.:-]+\Z"),
    Expected("an address: 127.0.0.1 for this machine only, 0.0.0.0 for all machines"),
]
Port = Annotated[int, Meta(ge=1, le=65535), Expected("a port, 1 to 65535")]
Count = Annotated[int, Meta(ge=0), Expected("a whole number, 0 or more")]
Text = Annotated[str, Expected("text")]
Token = Annotated[
    str,
    Meta(pattern=rf"^([\x21-\x7e]{{{MIN_TOKEN},}})?\Z"),
    Expected(f"{MIN_TOKEN} or more visible ASCII characters without spaces"),
]
Proxies = Annotated[
    tuple[str, ...],
    Expected("addresses or networks, for example 10.0.0.2 or 10.0.0.0/24"),
]
HostName = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9a-fA-F:]+)\Z")
]
HostNames = Annotated[
    tuple[HostName, ...],
    Expected("host names without scheme and port, for example courtside.example"),
]
Origin = Annotated[str, Meta(pattern=r"^https?://[^\s/?#\\]+\Z")]
Origins = Annotated[
    tuple[Origin, ...],
    Expected("origins without a path, for example https://app.example"),
]


class HostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each field is a flag, a COURTSIDE_* variable and a key of `[host]`."""

    host: Annotated[Address, Help("Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Help("Port to listen on.")] = 8000
    data_dir: Annotated[Text, Help("Folder for the log.")] = ".courtside"
    log: Annotated[
        Literal["sqlite", "memory"],
        Expected("sqlite or memory"),
        Help("Log storage: sqlite or memory."),
    ] = "sqlite"
    keep_events: Annotated[Count, Help("Number of events to keep in the log.")] = (
        1_000_000
    )
    keep_s: Annotated[
        Count, Help("Seconds to keep an event in the log; 0 means no limit.")
    ] = 0
    log_format: Annotated[
        Literal["logfmt", "json"],
        Expected("logfmt or json"),
        Help("Format of the log lines on stderr: logfmt or json."),
    ] = "logfmt"
    trace: Annotated[
        Literal["on", "off"],
        Expected("on or off"),
        Help("Forward the trace context of requests to agents: on or off."),
    ] = "off"
    token: Annotated[
        Token, Help("Full-access token (or env:NAME, file:PATH).", is_secret=True)
    ] = ""
    read_token: Annotated[
        Token, Help("Read-only token (or env:NAME, file:PATH).", is_secret=True)
    ] = ""
    tls_cert: Annotated[Text, Help("Certificate chain for HTTPS (PEM file).")] = ""
    tls_key: Annotated[Text, Help("Private key of the certificate (PEM file).")] = ""
    trusted_proxies: Annotated[
        Proxies, Help("Proxies whose X-Forwarded-* headers are trusted.")
    ] = ()
    allowed_hosts: Annotated[HostNames, Help("Extra host names to accept.")] = ()
    allowed_origins: Annotated[
        Origins, Help("Origins of other pages that may read and write (CORS).")
    ] = ()
    private_agents: Annotated[
        Literal["auto", "yes", "no"],
        Expected("auto, yes or no"),
        Help(
            "Allow private addresses for agents added at run time: yes, no, or auto "
            "(yes unless other machines can reach the host)."
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        try:
            self.proxy_networks()
        except ValueError as error:
            raise SettingError(
                "trusted_proxies",
                "must be addresses or networks, for example 10.0.0.2 or 10.0.0.0/24: "
                f"{error}",
            ) from None

    def proxy_networks(self) -> tuple[Network, ...]:
        return tuple(map(ipaddress.ip_network, self.trusted_proxies))


@dataclass(frozen=True)
class Setting:
    """One field of HostSettings, as text on the command line."""

    name: str
    default: str
    help: str
    is_secret: bool
    kind: type

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        return f"COURTSIDE_{self.name.upper()}"

    def parse(self, text: str) -> object:
        """Return a number or a list if this setting is one; else the text."""
        if self.kind is tuple:
            return re.split(r"[\s,]+", text.strip(" ,")) if text.strip(" ,") else []
        return parse_number(text) if self.kind is int else text


def is_number(text: str) -> bool:
    """Return whether `text` is only digits; `int` also accepts signs and spaces."""
    return text.isascii() and text.isdigit()


def parse_number(text: str) -> int | str:
    """Return the number, or the text unchanged if it is not one."""
    return int(text) if is_number(text) and len(text) < 20 else text


def _read_settings() -> tuple[Setting, ...]:
    hints = get_type_hints(HostSettings, include_extras=True)
    found = []
    for field in fields(HostSettings):
        default = field.default
        notes = hints[field.name].__metadata__
        about = next(note for note in notes if isinstance(note, Help))
        found.append(
            Setting(
                name=field.name,
                default="" if default == () else str(default),
                help=about.text,
                is_secret=about.is_secret,
                kind=type(default),
            )
        )
    return tuple(found)


SETTINGS = _read_settings()
SECRETS = frozenset(setting.name for setting in SETTINGS if setting.is_secret)
