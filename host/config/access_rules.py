"""Defines who may use the host, and refuses settings that would let anybody in."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError
from .address_rules import LOOPBACK
from .settings import Network


@dataclass(frozen=True)
class AccessRules:
    """Without a token everybody on this machine may do everything, and nobody else
    comes in."""

    token: str = field(default="", repr=False)
    read_token: str = field(default="", repr=False)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    private_agents: bool = True

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"

    @property
    def is_exposed(self) -> bool:
        """Whether other machines come in, though the host listens to this one only."""
        return bool(self.allowed_hosts or self.trusted_proxies)

    def is_readable(self, host: str) -> bool:
        """Whether the token may go through a network in the clear."""
        return not (host in LOOPBACK or self.tls_cert or self.trusted_proxies)

    def trusts(self, address: str) -> bool:
        """Whether X-Forwarded-* of this peer is believed."""
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self.trusted_proxies)


def check_access_rules(rules: AccessRules, host: str, where: str) -> AccessRules:
    """`where` is where `host` was set. Raises ConfigError for what would stand open."""
    if bool(rules.tls_cert) != bool(rules.tls_key):
        raise ConfigError("tls_cert and tls_key: give both, or neither")
    if rules.read_token and not rules.token:
        raise ConfigError(
            "read_token needs token beside it: else nobody could give commands"
        )
    if rules.token and rules.token == rules.read_token:
        raise ConfigError("token and read_token are the same: use two")
    if not rules.token:
        _check_closed(rules, host, where)
    return rules


def _check_closed(rules: AccessRules, host: str, where: str) -> None:
    if host not in LOOPBACK:
        why, flag = f"{where}: other machines can reach {host}", f" --host {host}"
    elif rules.is_exposed:
        why, flag = "allowed_hosts and trusted_proxies let other machines in", ""
    else:
        return
    raise ConfigError(
        f"{why}, and there is no token to keep strangers out. Make one:\n"
        "  (umask 077; python3 -c 'import secrets; print(secrets.token_hex(32))' "
        "> courtside.token)\n"
        "and start with it:\n"
        f"  courtside{flag} --token file:courtside.token\n"
        "(or COURTSIDE_TOKEN; docs/security.md)"
    )
