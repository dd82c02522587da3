"""Recognizes loopback, link-local, cloud metadata and private addresses.

The host never connects to a link-local or metadata address. It checks the URL of an
agent, and the resolved address of each connection.
"""

from __future__ import annotations

import ipaddress
import socket

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never listened on
# Cloud metadata services return a machine's credentials to any program on it.
METADATA_NAMES = frozenset(
    (
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.tencentyun.com",
    )
)
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address)
    for address in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return None for a text that is not an address, such as a host name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_link_local(host: str) -> bool:
    """Return whether a host name or address is link-local or a metadata service.

    This includes other spellings: ::ffff:169.254.1.1, 0xa9fea9fe.
    """
    name = host.lower().strip("[]").rstrip(".")
    address = _address(name.partition("%")[0])
    if address is None:
        return name in METADATA_NAMES
    return address.is_link_local or address in METADATA_ADDRESSES


def is_private(host: str) -> bool:
    """Return whether an address is of this machine or of a private network."""
    name = host.lower().strip("[]").rstrip(".")
    address = _address(name.partition("%")[0])
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    return not address.is_global or address.is_multicast


def _address(text: str) -> Address | None:
    address = parse_address(text)
    if address is None:
        return _legacy_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _legacy_address(text: str) -> ipaddress.IPv4Address | None:
    """Parse the forms that only the C library accepts: 2852039166, 0xa9.0xfe.1."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except (OSError, UnicodeError, ValueError):
        return None
