"""Owns the page and its static files, and the headers that keep it safe.

The host mounts the app last; the browser takes everything else from the host.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.board import Board, State
from dashboard.bundle import Served, modules, sheets
from dashboard.debug import Debug, Inside
from dashboard.login import ROLE, Doorman, Login

HERE = Path(__file__).parent

# Trusted Types close the one door that `script-src 'self'` leaves open, markup made
# from strings; lit-html's own policy is the only one that may be created.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
SAFETY = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
ICON, ICON_CACHE = "/static/favicon.svg", "max-age=86400"
# Small files compress to nothing worth a round of CPU.
MIN_COMPRESSED_BYTES = 1_024


class SafetyHeaders:
    """Puts `SAFETY` on every response, and asks browsers to revalidate each time:
    a page and modules of two different releases must never meet. The icon may be any
    release's, and is asked for again at each change of the URL."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFETY)
                icon = scope["path"].endswith(ICON)
                headers.setdefault("cache-control", ICON_CACHE if icon else "no-cache")
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)


class Page:
    """The one page. Its links are relative, so that it works under any base path."""

    def __init__(self, templates: Jinja2Templates, *, board: bool) -> None:
        self.templates = templates
        self.board = board

    async def __call__(self, request: Request) -> Response:
        response = self.templates.TemplateResponse(
            request,
            "index.html",
            {"board": self.board, "role": request.scope.get(ROLE, "anyone")},
        )
        etag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
        response.headers["etag"] = etag
        if etag in request.headers.get("if-none-match", ""):
            return NotModifiedResponse(Headers(raw=response.raw_headers))
        return response


def create_app(
    state: State | None = None,
    inside: Inside | None = None,
    doorman: Doorman | None = None,
) -> Starlette:
    """The page at `/` and its files under `/static`, ready to be mounted.

    With the `state` of a host there is `/board`, too, for browsers without JavaScript;
    with its `inside` there is `/debug`, with its `doorman` the login page.
    """
    static = HERE / "static"
    templates = Jinja2Templates(directory=[HERE / "templates", static])
    board = [Route("/board", Board(state, templates).__call__)] if state else []
    debug = [Route("/debug", Debug(inside, templates).__call__)] if inside else []
    return Starlette(
        routes=[
            Route("/", Page(templates, board=bool(board)).__call__, name="page"),
            *board,
            *debug,
            *(Login(doorman, templates).routes() if doorman else ()),
            Route(
                "/static/all.js", Served(modules, static, "text/javascript").__call__
            ),
            Route("/static/all.css", Served(sheets, static, "text/css").__call__),
            Mount("/static", StaticFiles(directory=static), name="static"),
        ],
        middleware=[
            Middleware(SafetyHeaders),
            Middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES),
        ],
    )
