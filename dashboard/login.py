"""Owns the login page: a token in, a session's cookie out; it works without JavaScript.

The host says who may come in, and sends here whoever has to sign in first.
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


class Doorman(Protocol):
    """The host's own."""

    def sign_in(self, scope: Scope, token: str) -> tuple[int, str]:
        """200 and the cookie to set; else a status and what to tell."""

    def sign_out(self, scope: Scope) -> str:
        """The cookie that takes the session away."""


class Login:
    """GET and POST /login, POST /logout."""

    def __init__(self, doorman: Doorman, templates: Jinja2Templates) -> None:
        self._doorman = doorman
        self._templates = templates

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.ask, methods=["GET"]),
            Route("/login", self.sign_in, methods=["POST"]),
            Route("/logout", self.sign_out, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        return self._page(request, request.query_params.get("then", ""))

    async def sign_in(self, request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return PlainTextResponse(f"send a short form, as {FORM}\n", 415)
        then = form.get("then", "")
        status, said = self._doorman.sign_in(request.scope, form.get("token", ""))
        if status != 200:
            return self._page(request, then, status, said)
        return _to(_below(then), said)

    async def sign_out(self, request: Request) -> Response:
        return _to("./login", self._doorman.sign_out(request.scope))

    def _page(
        self, request: Request, then: str, status: int = 200, trouble: str = ""
    ) -> Response:
        context = {
            "role": request.scope.get(ROLE),
            "then": then,
            "link": _below(then),
            "trouble": trouble,
        }
        return self._templates.TemplateResponse(
            request, "login.html", context, status, NO_STORE
        )


async def _form(request: Request) -> dict[str, str] | None:
    """The first value of each field; None where it is no form, or a long one."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
        return None
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_FORM_BYTES:
            return None
    fields = parse_qs(data.decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}


def _below(then: str) -> str:
    """A place of this host, whatever `then` says: relative to the login page."""
    return "./" + then.lstrip("/\\")


def _to(place: str, cookie: str) -> Response:
    return RedirectResponse(place, 303, {"set-cookie": cookie, **NO_STORE})
