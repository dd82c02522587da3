"""Serve the login page: exchange a token for a session cookie, without JavaScript.

The host checks the token and makes the cookies. It redirects a request that needs a
session to this page.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import Scope

ROLE = "courtside.role"
FORM = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 8_192
NO_STORE = {"cache-control": "no-store"}


class Sessions(Protocol):
    """What the host provides."""

    def sign_in(self, scope: Scope, token: str) -> tuple[int, str]:
        """Return 200 and the cookie to set, or an error status and its message."""

    def sign_out(self, scope: Scope) -> str:
        """Return the cookie that ends the session."""


class Login:
    """GET and POST /login, POST /logout."""

    def __init__(self, sessions: Sessions, templates: Jinja2Templates) -> None:
        self._sessions = sessions
        self._templates = templates

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.log_in, methods=["GET", "POST"]),
            Route("/logout", self.sign_out, methods=["POST"]),
        ]

    async def log_in(self, request: Request) -> Response:
        if request.method == "POST":
            return await self.sign_in(request)
        return self._render(request, request.query_params.get("then", ""))

    async def sign_in(self, request: Request) -> Response:
        form = await _read_form(request)
        if form is None:
            text = f"send a form of at most {MAX_FORM_BYTES} bytes as {FORM}\n"
            return PlainTextResponse(text, 415)
        then = form.get("then", "")
        status, text = self._sessions.sign_in(request.scope, form.get("token", ""))
        if status != 200:
            return self._render(request, then, status, text)
        return _redirect(_local_url(then), text)

    async def sign_out(self, request: Request) -> Response:
        return _redirect("./login", self._sessions.sign_out(request.scope))

    def _render(
        self, request: Request, then: str, status: int = 200, error: str = ""
    ) -> Response:
        context = {
            "role": request.scope.get(ROLE),
            "then": then,
            "link": _local_url(then),
            "trouble": error,
        }
        return self._templates.TemplateResponse(
            request, "login.html", context, status, NO_STORE
        )


async def _read_form(request: Request) -> dict[str, str] | None:
    """Return the first value of each field, or None for another type or a long body."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
        return None
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_FORM_BYTES:
            return None
    fields = parse_qs(data.decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}


def _local_url(then: str) -> str:
    """Return a URL of this host, relative to the login page, whatever `then` holds."""
    return "./" + then.lstrip("/\\")


def _redirect(url: str, cookie: str) -> Response:
    return RedirectResponse(url, 303, {"set-cookie": cookie, **NO_STORE})
