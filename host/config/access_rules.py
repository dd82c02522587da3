"""Defines the access rules of the host, and refuses settings that allow everybody."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

from ..errors import ConfigError
from .address_rules import LOOPBACK, parse_address, unmap_address
from .settings import Network


@dataclass(frozen=True)
class AccessRules:
    """Without a token, only this machine has access, and it has full access."""

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

    def sends_token_in_clear(self, host: str) -> bool:
        """Return whether a token would cross a network unencrypted."""
        return not (host in LOOPBACK or self.tls_cert or self.trusted_proxies)

    def trusts(self, address: str) -> bool:
        """Return whether to trust X-Forwarded-* headers from this peer.

        An IPv4 peer also matches a network of IPv4-mapped addresses.
        """
        peer = parse_address(unmap_address(address))
        if peer is None:
            return False
        forms = [peer]
        if peer.version == 4:
            forms.append(IPv6Address(f"::ffff:{peer}"))
        return any(form in one for form in forms for one in self.trusted_proxies)


def check_access_rules(rules: AccessRules, host: str, where: str) -> AccessRules:
    """`where` is the source of the setting `host`.

    Raises ConfigError for rules that give other machines access without a token.
    """
    if bool(rules.tls_cert) != bool(rules.tls_key):
        raise ConfigError("set both tls_cert and tls_key, or neither")
    if rules.read_token and not rules.token:
        raise ConfigError(
            "read_token also needs token: without it, nobody can send commands"
        )
    if rules.token and rules.token == rules.read_token:
        raise ConfigError("token and read_token are the same; use two different tokens")
    if rules.token:
        return rules
    if host not in LOOPBACK:
        problem, flag = f"{where}: other machines can reach {host}", f" --host {host}"
    elif rules.allowed_hosts or rules.trusted_proxies:
        names = "allowed_hosts" if rules.allowed_hosts else "trusted_proxies"
        problem, flag = f"{names} gives other machines access", ""
    else:
        return rules
    raise ConfigError(
        f"{problem}, but there is no token. Create one:\n"
        "  (umask 077; python3 -c 'import secrets; print(secrets.token_hex(32))' "
        "> courtside.token)\n"
        "and start the host with it:\n"
        f"  courtside{flag} --token file:courtside.token\n"
        "(or set COURTSIDE_TOKEN; see docs/security.md)"
    )
