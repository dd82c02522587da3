"""Owns the choice of how to speak to an agent: one Binding for each interface.

The connection opens one and works with what `contract` promises.
"""

from __future__ import annotations

from importlib.util import find_spec

from a2a.types import a2a_pb2 as pb

from .agent_http import Wire
from .types import (
    Admission,
    Batch,
    Binding,
    Interface,
    Page,
    Query,
    Unspoken,
    Update,
)

__all__ = [
    "Batch",
    "Binding",
    "Interface",
    "Page",
    "Query",
    "Unspoken",
    "Update",
    "open_binding",
]


def open_binding(
    interface: Interface, card: pb.AgentCard, wire: Wire, budget: Admission
) -> Binding:
    """The binding for an interface of the card. Raises Unspoken where there is none."""
    # Each brings its own imports: what no agent needs costs no start anything.
    spoken = (interface.binding, interface.version)
    if spoken == ("JSONRPC", "1.0"):
        from .jsonrpc import JsonRpc

        return JsonRpc(interface, card, wire, budget)
    if spoken == ("JSONRPC", "0.3"):
        from .jsonrpc_v03 import JsonRpc03

        return JsonRpc03(interface, card, wire, budget)
    if spoken == ("HTTP+JSON", "1.0"):
        from .http_json import Rest

        return Rest(interface, card, wire, budget)
    if spoken == ("HTTP+JSON", "0.3"):
        from .http_json_v03 import Rest03

        return Rest03(interface, card, wire, budget)
    if interface.binding == "GRPC" and interface.version in ("1.0", "0.3"):
        if find_spec("grpc") is None:
            raise Unspoken(
                f"{wire.name} offers gRPC at {interface.url}: to speak it, install "
                "courtside[grpc]"
            )
        from .grpc import Grpc

        return Grpc(interface, card, wire, budget)
    raise Unspoken(
        f"{wire.name} offers {interface.binding[:40]} {interface.version[:20]} at "
        f"{interface.url}; the host speaks JSONRPC, HTTP+JSON and GRPC, 1.0 and 0.3"
    )
