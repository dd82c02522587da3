"""Recognizes loopback, link-local, cloud metadata and private addresses.

The host never connects to a link-local or metadata address. It checks the URL of an
agent, and the resolved address of each connection.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata

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
# Of AWS, Alibaba, Azure, Google, Oracle and Scaleway. Others are link-local.
METADATA_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:42::42/128",
        "fd00:c1::a9fe:a9fe/128",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
    )
)
# IPv6 addresses that lead to the IPv4 address in their last 32 bits.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
IPV4_IN_LAST_BITS = (
    NAT64,
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible, RFC 4291
    ipaddress.IPv6Network("::ffff:0:0/96"),  # IPv4-mapped, RFC 4291
    ipaddress.IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated, RFC 2765
)
# NAT64 of a site (RFC 8215). The IPv4 address begins after 48, 56, 64 or 96 bits.
LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
ISATAP = (0x00005EFE, 0x02005EFE)  # The bits before the IPv4 address, RFC 5214.
DOTS = str.maketrans("\u3002", ".")  # IDNA takes it for a dot.

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return None for a text that is not an address, such as a host name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def unmap_address(text: str) -> str:
    """Return the IPv4 address of an IPv4-mapped one, such as ::ffff:192.0.2.1.

    A socket that listens on `::` gives all IPv4 peers such an address.
    """
    address = parse_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return text


def is_link_local(host: str) -> bool:
    """Return whether a host name or address is link-local or a metadata service.

    This includes other spellings (0xa9fea9fe), and IPv6 addresses that lead to such an
    IPv4 address (::ffff:169.254.1.1).
    """
    name = _normalize(host)
    address = _address(name)
    if address is None:
        return name in METADATA_NAMES
    return any(map(_is_forbidden, (address, *_embedded(address))))


def is_private(host: str) -> bool:
    """Return whether an address is of this machine or of a private network."""
    name = _normalize(host)
    address = _address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    if any(not one.is_global or one.is_multicast for one in _embedded(address)):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64 or address.ipv4_mapped:
            return False
        # Outside the networks that the internet has (2000::/3), or a tunnel's own.
        if address.is_reserved or address.is_site_local or _embedded(address):
            return True
    return not address.is_global or address.is_multicast


def _is_forbidden(address: Address) -> bool:
    return address.is_link_local or any(
        address in network for network in METADATA_NETWORKS
    )


def _normalize(host: str) -> str:
    """Return a host without brackets, dots at its end, and the zone of an address."""
    name = unicodedata.normalize("NFKC", host).translate(DOTS).lower()
    return name.strip("[]").partition("%")[0].rstrip(".")


def _address(name: str) -> Address | None:
    """Also parse the forms that only the C library accepts: 2852039166, 0xa9.0xfe.1."""
    if address := parse_address(name):
        return address
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, UnicodeError, ValueError):
        return None


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses to which a router or tunnel may send its packets."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= 1:
        return []
    number = int(address)
    found = [address.sixtofour] if address.sixtofour else []
    found += address.teredo or ()
    has_last = any(address in network for network in IPV4_IN_LAST_BITS)
    if has_last or number >> 32 & 0xFFFFFFFF in ISATAP:
        found.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    if address in LOCAL_NAT64:
        found += _translated(number)
    return found


def _translated(number: int) -> list[ipaddress.IPv4Address]:
    """Read each form of RFC 6052, section 2.2. Bits 64 to 71 are never of the IPv4
    address, except in the last form."""
    without_octet = (number >> 64) << 56 | (number & (1 << 56) - 1)  # 120 bits
    starts = (48, 56, 64)
    parts = [without_octet >> (120 - 32 - start) for start in starts]
    return [ipaddress.IPv4Address(part & 0xFFFFFFFF) for part in (*parts, number)]
