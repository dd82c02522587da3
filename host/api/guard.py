"""Checks every request before the rest of the host: Host, Origin, token and role.

A hostile page in the user's browser can send requests to the host. Its
domain can resolve to 127.0.0.1 (DNS rebinding), so the guard checks the Host header.
The guard also refuses requests from other origins, unless the user followed a link.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from math import ceil
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from ..config.access_rules import AccessRules
from ..config.address_rules import ANY_ADDRESS, LOOPBACK, parse_address, unmap_address
from .sessions import READER, ROLE, Sessions, get_client

READ_METHODS = ("GET", "HEAD", "OPTIONS")
PUBLIC_PATHS = ("/healthz", "/readyz", "/login")
PUBLIC_FILES = "/static/"  # The login page needs them. They contain no secrets.
READER_PATHS = ("/login", "/logout")  # A reader may send POST to these.
FOREIGN_SITES = ("cross-site", "same-site")
FORWARDED = b"x-forwarded-"
EXPOSED_HEADERS = ("courtside-next", "date", "location", "www-authenticate")
# Only this. A lenient parser finds "::1" in "[::1].evil.example", too.
AUTHORITY = re.compile(
    r"(?:(?P<name>[A-Za-z0-9._-]{1,255})|\[(?P<address>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::[0-9]{1,5})?",
    re.ASCII,
)
CHALLENGE = {"www-authenticate": 'Bearer realm="courtside"'}


class Guard:
    """Checks the requests to a host that listens on `host` and `port`."""

    def __init__(self, host: str, port: int, rules: AccessRules) -> None:
        self.sessions = Sessions(port, rules.token, rules.read_token)
        self._rules = rules
        self._names = {*LOOPBACK, *rules.allowed_hosts}
        if host not in ANY_ADDRESS:
            self._names.add(host.lower())
        # DNS rebinding needs a name, so bare addresses are safe.
        self._accepts_addresses = host not in LOOPBACK

    def check_request(self, scope: Scope, app: ASGIApp) -> ASGIApp:
        """Return `app`, or the response that refuses the request."""
        if scope["type"] != "http":
            return app
        self._apply_forwarded_headers(scope)
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin in self._rules.allowed_origins:
            return self._add_cors(self._refuse(scope, headers, foreign=False) or app)
        foreign = headers.get("sec-fetch-site") in FOREIGN_SITES
        if origin is not None:
            foreign |= origin.partition("://")[2] != _get_authority(headers)
        return self._refuse(scope, headers, foreign=foreign) or app

    def _apply_forwarded_headers(self, scope: Scope) -> None:
        """Apply the X-Forwarded-* headers of a trusted proxy, and drop all others."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        forwarded = {name: text for name, text in headers if name.startswith(FORWARDED)}
        if not forwarded:
            return
        if not self._rules.trusts(get_client(scope)):
            scope["headers"] = [pair for pair in headers if pair[0] not in forwarded]
            return
        if forwarded.get(b"x-forwarded-proto") in (b"http", b"https"):
            scope["scheme"] = forwarded[b"x-forwarded-proto"].decode()
        # Each proxy appends its peer. The client is the last one that is not a proxy.
        chain = forwarded.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        hops = map(str.strip, reversed(chain))
        client = next((hop for hop in hops if not self._rules.trusts(hop)), "")
        if client:
            scope["client"] = (unmap_address(client), 0)

    def _refuse(
        self, scope: Scope, headers: Headers, *, foreign: bool
    ) -> Response | None:
        """Return the response that refuses the request, or None."""
        authority = _get_authority(headers)
        if not self.knows_host(authority):
            return PlainTextResponse(
                f"Host {authority[:100]!r} is not a name of this host: use "
                f"{' or '.join(LOOPBACK[:2])}, or add it to allowed_hosts\n",
                400,
            )
        if foreign and not _is_link(scope, headers):
            return PlainTextResponse(
                "pages of another origin may not read from this host or send "
                "commands to it: add the origin to allowed_origins\n",
                403,
            )
        return self._check_access(scope, headers)

    def knows_host(self, authority: str) -> bool:
        """Return whether a Host header names this host."""
        parts = AUTHORITY.fullmatch(authority)
        if parts is None:
            return False
        name = (parts["name"] or parts["address"]).lower()
        address = parse_address(name)
        if parts["address"] and not isinstance(address, IPv6Address):
            return False
        if address is None:
            return name in self._names
        return self._accepts_addresses or str(address) in self._names

    def _check_access(self, scope: Scope, headers: Headers) -> Response | None:
        """Store the role in the scope, or return the response that refuses access."""
        path: str = scope["path"]
        access = self.sessions.authenticate(scope)
        if access.role:
            scope[ROLE] = access.role
            is_read = scope["method"] in READ_METHODS or path in READER_PATHS
            if access.role != READER or is_read:
                return None
            return PlainTextResponse(
                "this token may only read: send commands with the full-access token\n",
                403,
            )
        if access.wait_s:
            headers_429 = {"retry-after": str(ceil(access.wait_s))}
            return PlainTextResponse(f"{access.wait_text}\n", 429, headers_429)
        if path in PUBLIC_PATHS or path.startswith(PUBLIC_FILES):
            return None
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            no_store = {"cache-control": "no-store"}
            return RedirectResponse(_build_login_url(scope), 303, no_store)
        return PlainTextResponse(
            "a token is needed: send Authorization: Bearer TOKEN, or sign in at "
            "/login\n",
            401,
            CHALLENGE,
        )

    def _add_cors(self, app: ASGIApp) -> ASGIApp:
        return CORSMiddleware(
            app,
            allow_origins=self._rules.allowed_origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED_HEADERS,
        )


def _get_authority(headers: Headers) -> str:
    # Several Host headers make a text that is no name.
    return headers.get("x-forwarded-host") or ", ".join(headers.getlist("host"))


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Return whether the user followed a link to a page of the host."""
    navigates = headers.get("sec-fetch-mode") == "navigate"
    is_page = headers.get("sec-fetch-dest", "document") == "document"
    return scope["method"] == "GET" and navigates and is_page


def _build_login_url(scope: Scope) -> str:
    """Return a relative URL, because a proxy may serve the host below a base path."""
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"].lstrip("/") + (f"?{query}" if query else "")
    up = "../" * (scope["path"].count("/") - 1)
    return f"{up or './'}login?then={quote(wanted, safe='')}"
