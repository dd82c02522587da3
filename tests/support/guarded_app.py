"""Sends requests through the guard to a small application in the test's process.

The guard is in host/api/guard.py.
"""

from __future__ import annotations

from ipaddress import ip_network

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from host.api.guard import Guard
from host.api.sessions import ROLE
from host.config.access_rules import AccessRules

OURS = "127.0.0.1:8000"
TOKEN, READ_TOKEN = "operator-0123456789", "reader-0123456789"
OPEN = AccessRules()
LOCKED = AccessRules(token=TOKEN, read_token=READ_TOKEN)
PROXIED = AccessRules(
    token=TOKEN,
    trusted_proxies=(ip_network("127.0.0.1"),),
    allowed_hosts=("courtside.example",),
)


def protect(app: ASGIApp, guard: Guard | None = None) -> ASGIApp:
    """Put a guard in front of an application, as the host does."""
    before = guard or Guard("127.0.0.1", 8000, OPEN)

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        await before.check_request(scope, app)(scope, receive, send)

    return ask


async def ask(
    guard: Guard,
    method: str = "GET",
    path: str = "/",
    app: ASGIApp | None = None,
    client: str = "127.0.0.1",
    **headers: str,
) -> httpx.Response:
    transport = httpx.ASGITransport(
        protect(app or PlainTextResponse("in"), guard), client=(client, 1)
    )
    sent = {"host": OURS} | {n.replace("_", "-"): text for n, text in headers.items()}
    encoded = [(name.encode(), text.encode("latin-1")) for name, text in sent.items()]
    async with httpx.AsyncClient(transport=transport) as http:
        return await http.request(method, f"http://any{path}", headers=encoded)


async def send_through(
    method: str = "GET", rules: AccessRules = OPEN, **headers: str
) -> tuple[int, str]:  # status and body
    guard = Guard("127.0.0.1", 8000, rules)
    answer = await ask(guard, method, "/", None, "127.0.0.1", **headers)
    return answer.status_code, answer.text


def bearer(token: str) -> str:
    return f"Bearer {token}"


async def show_role(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope.get(ROLE, "nobody"))(scope, receive, send)
