"""Opens a gRPC connection, under the host's limits."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import grpc

from ...config.address_rules import LOOPBACK
from .http_transport import MAX_BODY
from .unreachable_errors import BadResponse

SECURE = ("https", "grpcs")
SCHEMES = (*SECURE, "http", "grpc")


def parse_target(url: str) -> tuple[str, int, bool]:
    """Return host, port and whether to use TLS, for a URL or host:port."""
    parts = urlsplit(url if "://" in url else f"grpc://{url}")
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise BadResponse(
            f"bad URL: {url[:100]}; for gRPC use host:port or an https URL"
        )
    is_secure = parts.scheme in SECURE or ("://" not in url and parts.port == 443)
    return parts.hostname, parts.port or (443 if is_secure else 80), is_secure


def join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_channel(
    host: str, port: int, is_secure: bool, pinned: Sequence[str]
) -> grpc.aio.Channel:
    """Connect to `pinned` addresses, if any: grpcio would look up the name again."""
    target = join_address(host, port)
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MAX_BODY),
        # Otherwise a fast agent fills windows of many MiB that nobody reads.
        ("grpc.http2.bdp_probe", 0),
    ]
    if pinned:
        options.append(("grpc.default_authority", target))
        options.append(("grpc.ssl_target_name_override", host))
        version = ip_address(pinned[0]).version
        same = [one for one in pinned if ip_address(one).version == version]
        target = f"ipv{version}:{','.join(join_address(one, port) for one in same)}"
    if host in LOOPBACK:
        # The proxy of the environment cannot reach this machine.
        options.append(("grpc.enable_http_proxy", 0))
    if is_secure:
        keys = grpc.ssl_channel_credentials()
        return grpc.aio.secure_channel(target, keys, options)
    return grpc.aio.insecure_channel(target, options)
