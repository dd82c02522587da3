"""Every agent as an A2A agent of the host, at `/a2a/{agent}`, with resumable streams.

    JSON-RPC (jsonrpc) ──┐                ┌─ sends ⇒ Backend: a collector, or the host
    HTTP+JSON (http_json)┴─ operations ───┤
    SSE (event_stream) ◄──────────────────┴─ task_stream ◄ watch ◄ feed

Imports `api` and the packages below it.
"""
