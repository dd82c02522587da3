"""Property tests of host/config/address_rules.py: no spelling of a link-local, metadata
or private address passes, and a public address does in every spelling."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.config.address_rules import is_link_local, is_private

FORBIDDEN_V4 = ("100.100.100.200", "168.63.129.16", "192.0.0.192")
FORBIDDEN_V6 = (
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",
)
PRIVATE_V4 = ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "224.0.0.0/4")
PUBLIC_V4 = ("8.8.8.0/24", "93.184.216.0/24", "1.1.1.0/24", "142.250.0.0/16")
BITS_128 = st.integers(0, 2**128 - 1)

link_local = st.ip_addresses(network="169.254.0.0/16")
forbidden_v4 = link_local | st.sampled_from(FORBIDDEN_V4).map(IPv4Address)
forbidden_v6 = st.ip_addresses(network="fe80::/10") | st.sampled_from(FORBIDDEN_V6).map(
    IPv6Address
)
private_v4 = st.one_of(*(st.ip_addresses(network=network) for network in PRIVATE_V4))
public_v4 = st.one_of(*(st.ip_addresses(network=network) for network in PUBLIC_V4))


@st.composite
def numeric_spellings(draw: st.DrawFn, addresses: st.SearchStrategy[object]) -> str:
    """Return 169.254.1.1 as inet_aton reads it: one to four parts, in any base."""
    value = int(IPv4Address(draw(addresses)))
    count = draw(st.integers(1, 4))
    parts = [value >> 8 * (3 - index) & 0xFF for index in range(count - 1)]
    parts.append(value & (1 << 8 * (5 - count)) - 1)
    forms = st.sampled_from(("{}", "0{:o}", "00{:o}", "0x{:x}", "0X{:X}", "0x00{:X}"))
    return ".".join(draw(forms).format(part) for part in parts)


@st.composite
def carriers(draw: st.DrawFn, addresses: st.SearchStrategy[object]) -> IPv6Address:
    """Return an IPv6 address that routers or tunnels send to the IPv4 address."""
    value = int(IPv4Address(draw(addresses)))
    fill = draw(BITS_128)
    site = int(IPv6Address("64:ff9b:1::"))
    forms = (
        value,  # IPv4-compatible
        0xFFFF << 32 | value,  # IPv4-mapped
        0xFFFF << 48 | value,  # IPv4-translated
        int(IPv6Address("64:ff9b::")) | value,  # NAT64
        site | (fill & 0xFFFFFFFF << 32) | value,  # NAT64 of a site, in four forms
        site | (value >> 16) << 64 | (value & 0xFFFF) << 40,
        site | (fill & 0xFF) << 72 | (value >> 24) << 64 | (value & 0xFFFFFF) << 32,
        site | (fill & 0xFFFF) << 64 | value << 24,
        0x2002 << 112 | value << 80 | (fill & (1 << 80) - 1),  # 6to4
        0x20010000 << 96 | value << 64 | (fill & (1 << 64) - 1),  # Teredo, its server
        0x20010000 << 96 | (fill & (1 << 64) - 1) << 32 | value ^ 0xFFFFFFFF,
        (fill >> 64) << 64 | 0x5EFE << 32 | value,  # ISATAP
        (fill >> 64) << 64 | 0x02005EFE << 32 | value,
    )
    return IPv6Address(draw(st.sampled_from(forms)))


@st.composite
def texts(draw: st.DrawFn, addresses: st.SearchStrategy[object]) -> str:
    """Return one of the spellings of an IPv6 address."""
    address = IPv6Address(draw(addresses))
    value = int(address)
    tail = IPv4Address(value & 0xFFFFFFFF)
    groups = address.exploded.split(":")
    text = draw(
        st.sampled_from(
            (
                address.compressed,
                address.exploded,
                ":".join(f"{int(group, 16):x}" for group in groups),
                ":".join((*groups[:6], str(tail))),
            )
        )
    )
    return text.upper() if draw(st.booleans()) else text


@st.composite
def decorated(draw: st.DrawFn, spellings: st.SearchStrategy[str]) -> str:
    """Return a spelling as a URL may have it: with brackets, zone or trailing dots."""
    text = draw(spellings)
    if ":" in text:
        text += draw(st.sampled_from(("", "%eth0", "%25eth0", "%1")))
        return draw(st.sampled_from(("{}", "[{}]"))).format(text)
    wide = str.maketrans("0123456789.", "０１２３４５６７８９。")  # noqa: RUF001
    text = text.translate(wide) if draw(st.booleans()) else text
    return text + draw(st.sampled_from(("", ".", "..")))


def all_spellings(v4: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    dotted = v4.map(str)
    return decorated(numeric_spellings(v4) | dotted | texts(carriers(v4)))


@given(all_spellings(forbidden_v4) | decorated(texts(forbidden_v6)))
def test_no_spelling_of_a_metadata_or_link_local_address_passes(text: str) -> None:
    assert is_link_local(text)


@given(all_spellings(private_v4 | link_local))
def test_no_spelling_of_a_private_address_is_public(text: str) -> None:
    assert is_private(text)


@given(decorated(numeric_spellings(public_v4) | public_v4.map(str)))
def test_every_spelling_of_a_public_address_passes(text: str) -> None:
    assert not is_private(text)
    assert not is_link_local(text)


@given(public_v4)
def test_public_address_behind_nat64_or_mapped_is_public(address: object) -> None:
    value = int(IPv4Address(address))
    for network in ("64:ff9b::", "::ffff:0:0"):
        text = str(IPv6Address(int(IPv6Address(network)) | value))
        assert not is_private(text)
        assert not is_link_local(text)


@given(st.ip_addresses(v=6))
def test_private_means_at_least_what_the_standard_library_says(
    address: ipaddress.IPv6Address,
) -> None:
    if address.ipv4_mapped is None and not address.is_global:
        assert is_private(str(address))


@pytest.mark.parametrize(
    "address",
    ["2606:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888"],
)
def test_public_ipv6_address_passes(address: str) -> None:
    assert not is_private(address)
    assert not is_link_local(address)


@pytest.mark.parametrize(
    "address",
    ["::", "::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b:1::808:808"],
)
def test_other_networks_of_ipv6_are_private(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "name", ["Metadata.Google.Internal.", "METADATA", "metadata。google。internal"]
)
def test_names_of_metadata_services_are_refused(name: str) -> None:
    assert is_link_local(name)


@pytest.mark.parametrize("name", ["", ".", "[]", "%", "a.example", "1.2.3.4.5", "0x"])
def test_any_other_name_is_left_to_the_resolver(name: str) -> None:
    assert not is_link_local(name)
    assert not is_private(name)
