"""Opens the binding for an interface of an agent's card."""

from __future__ import annotations

from importlib.util import find_spec

from a2a.types import a2a_pb2 as pb

from ..rate_limit import RateLimiter
from .base import Binding
from .http_transport import HttpTransport
from .types import Interface, UnsupportedInterface


def open_binding(
    interface: Interface,
    card: pb.AgentCard,
    http: HttpTransport,
    limiter: RateLimiter,
) -> Binding:
    """Raises UnsupportedInterface if the host has no binding for it."""
    return _binding_class(interface, http.name)(interface, card, http, limiter)


def _binding_class(interface: Interface, agent: str) -> type[Binding]:
    # Each import happens only if an agent needs it: together they take a second.
    supported = (interface.binding, interface.version)
    if supported == ("JSONRPC", "1.0"):
        from .jsonrpc import JsonRpc

        return JsonRpc
    if supported == ("HTTP+JSON", "1.0"):
        from .http_json import HttpJson

        return HttpJson
    if supported == ("JSONRPC", "0.3"):
        from .v03 import JsonRpcV03

        return JsonRpcV03
    if supported == ("HTTP+JSON", "0.3"):
        from .v03 import HttpJsonV03

        return HttpJsonV03
    if interface.binding == "GRPC" and interface.version in ("1.0", "0.3"):
        if find_spec("grpc") is None:
            raise UnsupportedInterface(
                f"{agent} offers gRPC at {interface.url}: install courtside[grpc] to "
                "use it"
            )
        from .grpc import Grpc

        return Grpc
    raise UnsupportedInterface(
        f"{agent} offers {interface.binding[:40]} {interface.version[:20]} at "
        f"{interface.url}; the host supports JSONRPC, HTTP+JSON and GRPC in 1.0 and 0.3"
    )
