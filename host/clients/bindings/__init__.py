"""A2A over JSON-RPC, HTTP+JSON and gRPC, in protocol versions 1.0 and 0.3.

`operations` is the table of A2A's operations. `base` turns it into calls and streams.
Each binding only transfers requests and responses. `selection` opens the binding for
an interface.
"""
