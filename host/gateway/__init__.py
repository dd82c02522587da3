"""Serves every agent as an A2A agent of the host, at `/a2a/{agent}`.

    JSON-RPC (jsonrpc) ────┐                 ┌─ message_sender → Backend (agent or host)
                           ├─► gateway ─────►│
    HTTP+JSON (http_json) ─┘   operations    └─ task_stream ◄ feed
    SSE ◄── event_stream ◄── a2a_updates ◄──────┘

Imports `api` and the packages below it.
"""
