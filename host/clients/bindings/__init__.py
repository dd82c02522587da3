"""A2A over JSON-RPC, HTTP+JSON and gRPC, in protocol versions 1.0 and 0.3.

Each binding keeps the contract in `types`; `selection` chooses one for an interface.
"""
