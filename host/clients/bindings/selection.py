"""Opens the binding for an interface of an agent's card."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from a2a.types import a2a_pb2 as pb

from ..rate_limit import RateLimiter
from .base import Binding
from .http_transport import HttpTransport
from .types import Interface, UnsupportedInterface

# Module and class. Imported only if an agent needs it: together they take a second.
BINDINGS = {
    ("JSONRPC", "1.0"): ("jsonrpc", "JsonRpc"),
    ("HTTP+JSON", "1.0"): ("http_json", "HttpJson"),
    ("GRPC", "1.0"): ("grpc", "Grpc"),
    ("JSONRPC", "0.3"): ("v03", "JsonRpcV03"),
    ("HTTP+JSON", "0.3"): ("v03", "HttpJsonV03"),
    ("GRPC", "0.3"): ("grpc", "Grpc"),
}


def open_binding(
    interface: Interface,
    card: pb.AgentCard,
    http: HttpTransport,
    limiter: RateLimiter,
) -> Binding:
    """Raises UnsupportedInterface if the host has no binding for it."""
    place = BINDINGS.get((interface.binding, interface.version))
    if place is None:
        raise UnsupportedInterface(
            f"{http.name} offers {interface.binding[:40]} {interface.version[:20]} at "
            f"{interface.url}; the host supports JSONRPC, HTTP+JSON and GRPC in 1.0 "
            "and 0.3"
        )
    if interface.binding == "GRPC" and find_spec("grpc") is None:
        raise UnsupportedInterface(
            f"{http.name} offers gRPC at {interface.url}: install courtside[grpc] to "
            "use it"
        )
    module, name = place
    binding: type[Binding] = getattr(import_module(f".{module}", __package__), name)
    return binding(interface, card, http, limiter)
