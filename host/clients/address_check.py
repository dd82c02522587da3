"""Looks up host names, and refuses the addresses that the host must not connect to."""

from __future__ import annotations

import socket

import anyio

from ..config.address_rules import is_link_local, is_private
from ..errors import AgentUnreachable


async def addresses(host: str, port: int, public_only: bool) -> list[str]:
    """Return the addresses of a host name, each once.

    Raises AgentUnreachable if one of them is forbidden, and OSError if there is none.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    unique = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in unique:
        if is_link_local(address) or is_link_local(host):
            kind = "link-local or metadata"
        elif public_only and is_private(address):
            kind = "private"
        else:
            continue
        raise AgentUnreachable(f"DNS: the name leads to the {kind} address {address}")
    return unique
