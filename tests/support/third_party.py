"""Somebody else: starts tasks at an agent itself, behind the host's back.

Tests ask it for a task and look for that task in the host's feed.
"""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.host_client import client
from tests.support.http_requests import start_request


async def start_at(
    url: str, text: str = "please", http: httpx.AsyncClient | None = None
) -> str:
    """The id of a new task of the agent that speaks JSON-RPC at `url`/."""
    if http is None:
        async with client() as own:
            return await start_at(url, text, own)
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "SendMessage",
        "params": start_request(text),
    }
    answer = await http.post(f"{url}/", json=call, headers={"A2A-Version": "1.0"})
    body: dict[str, Any] = answer.json()
    task_id: str = body["result"]["task"]["id"]
    return task_id
