"""Build the ASGI app that serves the page and its static files.

The host mounts this app last, so every URL that is not listed here belongs to the host.
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
from starlette.staticfiles import NotModifiedResponse
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .assets import Assets
from .board import BoardPage, BoardState
from .debug import DebugPage, DebugState
from .login import ROLE, Login, Sessions

HERE = Path(__file__).parent
MAIN = "main.js"

# `script-src 'self'` alone still allows scripts from strings of markup. Trusted Types
# forbid those, and only lit-html may create a policy.
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
SAFETY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
ICON, ICON_CACHE = "/static/favicon.svg", "max-age=86400"
MIN_COMPRESSED_BYTES = 1_024  # Compression does not pay off for smaller responses.


class SafetyHeaders:
    """Add `SAFETY_HEADERS` and `cache-control` to every response.

    Browsers must revalidate each file, so that files of two releases never mix. The
    icon is the exception: Chromium would request it again at each change of the URL.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFETY_HEADERS)
                is_icon = scope["path"].endswith(ICON)
                headers.setdefault(
                    "cache-control", ICON_CACHE if is_icon else "no-cache"
                )
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)


class Page:
    """GET /. All links are relative, so the page works below any base path."""

    def __init__(
        self, templates: Jinja2Templates, *, modules: list[str], has_board: bool
    ) -> None:
        self.templates = templates
        self.context = {"board": has_board, "modules": modules}

    async def __call__(self, request: Request) -> Response:
        context = {**self.context, "role": request.scope.get(ROLE, "anyone")}
        response = self.templates.TemplateResponse(request, "index.html", context)
        etag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
        response.headers["etag"] = etag
        if etag in request.headers.get("if-none-match", ""):
            return NotModifiedResponse(Headers(raw=response.raw_headers))
        return response


def create_app(
    board_state: BoardState | None = None,
    debug_state: DebugState | None = None,
    sessions: Sessions | None = None,
    *,
    static: Path = HERE / "static",
) -> Starlette:
    """Build the app: the page at `/` and its files at `/static`.

    Each argument adds one page that needs the host: `/board` for browsers without
    JavaScript, `/debug`, and `/login`.
    """
    templates = Jinja2Templates(directory=[HERE / "templates", static])
    routes = []
    if board_state:
        routes.append(Route("/board", BoardPage(board_state, templates).__call__))
    if debug_state:
        routes.append(Route("/debug", DebugPage(debug_state, templates).__call__))
    if sessions:
        routes += Login(sessions, templates).routes()
    page = Page(templates, modules=find_modules(static), has_board=bool(board_state))
    return Starlette(
        routes=[
            Route("/", page.__call__, name="page"),
            *routes,
            Mount("/static", Assets(directory=static), name="static"),
        ],
        middleware=[
            Middleware(SafetyHeaders),
            Middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES),
        ],
    )


def find_modules(static: Path) -> list[str]:
    """List the modules to preload: all but `main.js`. A wheel has no others."""
    found = (path.relative_to(static).as_posix() for path in static.rglob("*.js"))
    return sorted(name for name in found if name != MAIN)
