"""Lists the settings of the host: name, type, default and help text of each.

`load` reads them, and the command line has a flag for each. docs/settings.md lists
them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import fields

from .conversion import SettingError

CONFIG_FILE = "courtside.toml"
LOG_FILE = "feed.db"
MIN_TOKEN = 16  # Short passwords can be guessed; 16 random characters cannot.
MIN_KEEP_BYTES = 67_108_864  # 64 MiB: twice the largest event.
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Each description completes the sentence "SETTING must be …".
ADDRESS = "an address: 127.0.0.1 for this machine only, 0.0.0.0 for all machines"
TOKEN = f"{MIN_TOKEN} or more visible ASCII characters without spaces"
PROXIES = "addresses or networks, for example 10.0.0.2 or 10.0.0.0/24"
HOSTS = "host names without scheme and port, for example courtside.example"
ORIGINS = "origins without a path, for example https://app.example"
NAME_PATTERN = r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9a-fA-F:]+)\Z"

Address = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]+\Z", description=ADDRESS)]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port, 1 to 65535")]
Count = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]
Text = Annotated[str, Meta(description="text")]
Token = Annotated[
    str, Meta(pattern=rf"^([\x21-\x7e]{{{MIN_TOKEN},}})?\Z", description=TOKEN)
]
Proxies = Annotated[tuple[str, ...], Meta(description=PROXIES)]
HostName = Annotated[str, Meta(pattern=NAME_PATTERN)]
HostNames = Annotated[tuple[HostName, ...], Meta(description=HOSTS)]
Origin = Annotated[str, Meta(pattern=r"^https?://[^\s/?#\\]+\Z")]
Origins = Annotated[tuple[Origin, ...], Meta(description=ORIGINS)]


class HostSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each field is a flag, a COURTSIDE_* variable and a key of `[host]`."""

    host: Address = "127.0.0.1"
    port: Port = 8000
    data_dir: Text = ".courtside"
    log: Literal["sqlite", "memory"] = "sqlite"
    keep_events: Count = 1_000_000
    keep_s: Count = 0
    keep_bytes: Count = 1_073_741_824
    log_format: Literal["logfmt", "json"] = "logfmt"
    trace: Literal["on", "off"] = "off"
    token: Token = ""
    read_token: Token = ""
    tls_cert: Text = ""
    tls_key: Text = ""
    trusted_proxies: Proxies = ()
    allowed_hosts: HostNames = ()
    allowed_origins: Origins = ()
    private_agents: Literal["auto", "yes", "no"] = "auto"

    def __post_init__(self) -> None:
        if 0 < self.keep_bytes < MIN_KEEP_BYTES:
            raise SettingError("keep_bytes", f"must be 0, or {MIN_KEEP_BYTES} or more")
        try:
            self.proxy_networks()
        except ValueError as error:
            raise SettingError(
                "trusted_proxies", f"must be {PROXIES}: {error}"
            ) from None

    def proxy_networks(self) -> tuple[Network, ...]:
        return tuple(map(ipaddress.ip_network, self.trusted_proxies))


HELP = {
    "host": "Address to listen on.",
    "port": "Port to listen on.",
    "data_dir": "Folder for the log.",
    "log": "Log storage: sqlite or memory.",
    "keep_events": "Number of events to keep in the log.",
    "keep_s": "Seconds to keep an event in the log; 0 means no limit.",
    "keep_bytes": "Bytes to keep in the log; 0 means no limit.",
    "log_format": "Format of the log lines on stderr: logfmt or json.",
    "trace": "Forward the trace context of requests to agents: on or off.",
    "token": "Full-access token (or env:NAME, file:PATH).",
    "read_token": "Read-only token (or env:NAME, file:PATH).",
    "tls_cert": "Certificate chain for HTTPS (PEM file).",
    "tls_key": "Private key of the certificate (PEM file).",
    "trusted_proxies": "Proxies whose X-Forwarded-* headers are trusted.",
    "allowed_hosts": "Extra host names to accept.",
    "allowed_origins": "Origins of other websites that may call the API (CORS).",
    "private_agents": "Allow private addresses for agents added at run time: yes, no, "
    "or auto (yes if only this machine can reach the host).",
}
SECRETS = ("token", "read_token")


@dataclass(frozen=True)
class Setting:
    """One field of HostSettings, as text on the command line."""

    name: str
    default: str
    kind: type

    @property
    def help(self) -> str:
        return HELP[self.name]

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


SETTINGS = tuple(
    Setting(
        name=field.name,
        default="" if field.default == () else str(field.default),
        kind=type(field.default),
    )
    for field in fields(HostSettings)
)


def is_number(text: str) -> bool:
    """Return whether `text` is only digits; `int` also accepts signs and spaces."""
    return text.isascii() and text.isdigit()


def parse_number(text: str) -> int | str:
    """Return the number, or the text unchanged if it is not one."""
    return int(text) if is_number(text) and len(text) < 20 else text
