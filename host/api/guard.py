"""Owns who may speak to the host: from where, by which name, with which token.

Stands in front of everything else, once for each request. A hostile page in the user's
browser can send requests here: by a name of its own that resolves to 127.0.0.1 (DNS
rebinding, so the Host header must be ours), or across origins (so nothing is answered
to one but a link that somebody follows). What a stranger may see is the login page.
"""

from __future__ import annotations

import ipaddress
import logging
from math import ceil
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from ..config.access_rules import AccessRules
from ..config.address_rules import ANY_ADDRESS, LOOPBACK
from ..observability.logfmt import Line
from .sessions import ANYONE, READER, ROLE, SESSION_S, Access, Guesses

logger = logging.getLogger("courtside.guard")

READS = ("GET", "HEAD", "OPTIONS")
OPEN = ("/healthz", "/readyz", "/login")
OPEN_FILES = "/static/"  # What the login page is made of; there are no secrets in it.
FOR_READERS = ("/login", "/logout")
FOREIGN_SITES = ("cross-site", "same-site")
FORWARDED = b"x-forwarded-"
EXPOSED = ("courtside-next", "date", "location", "www-authenticate")
CHALLENGE = {"www-authenticate": 'Bearer realm="courtside"'}


class Guard:
    """For a host that listens on `host` and `port`."""

    def __init__(self, host: str, port: int, rules: AccessRules) -> None:
        self._rules = rules
        self._access = Access(rules.token, rules.read_token)
        self._guesses = Guesses()
        self._cookie = f"courtside_{port}"  # Browsers keep one jar for all ports.
        self._names = {*LOOPBACK, *rules.allowed_hosts}
        if host not in ANY_ADDRESS:
            self._names.add(host.lower())
        # Only a name can be made to lead elsewhere, an address cannot.
        self._takes_addresses = host not in LOOPBACK

    def admit(self, scope: Scope, app: ASGIApp) -> ASGIApp:
        """`app`, or what is answered in its place."""
        if scope["type"] != "http":
            return app
        self._believe(scope)
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin in self._rules.allowed_origins:
            return self._shared(self._refusal(scope, headers, foreign=False) or app)
        foreign = headers.get("sec-fetch-site") in FOREIGN_SITES
        if origin is not None:
            foreign |= origin.partition("://")[2] != self._authority(headers)
        return self._refusal(scope, headers, foreign) or app

    def _believe(self, scope: Scope) -> None:
        """What a trusted proxy says of the request is so; of others it is not heard."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        said = {name: text for name, text in headers if name.startswith(FORWARDED)}
        if not said:
            return
        if not self._rules.trusts(_peer(scope)):
            scope["headers"] = [pair for pair in headers if pair[0] not in said]
            return
        if said.get(b"x-forwarded-proto") in (b"http", b"https"):
            scope["scheme"] = said[b"x-forwarded-proto"].decode()
        # Each proxy adds whom it has heard: the last that is no proxy is the client.
        chain = said.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        clients = [one for one in map(str.strip, chain) if not self._rules.trusts(one)]
        if clients and clients[-1]:
            scope["client"] = (clients[-1], 0)

    def _authority(self, headers: Headers) -> str:
        return headers.get("x-forwarded-host") or headers.get("host", "")

    def _refusal(
        self, scope: Scope, headers: Headers, foreign: bool
    ) -> Response | None:
        authority = self._authority(headers)
        if not self._is_ours(authority):
            return PlainTextResponse(
                f"Host {authority[:100]!r} is not this machine: use "
                f"{' or '.join(LOOPBACK[:2])}, or name it in allowed_hosts\n",
                400,
            )
        if foreign and not _is_link(scope, headers):
            return PlainTextResponse(
                "a page of another origin may not send commands to this host, nor "
                "read it\n",
                403,
            )
        return self._stranger(scope, headers)

    def _is_ours(self, authority: str) -> bool:
        try:
            name = urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return False
        return name in self._names or (self._takes_addresses and _is_address(name))

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to who has no token, or none for what is asked; notes the role."""
        path: str = scope["path"]
        wait_s, role = self._role(scope, headers)
        if role:
            scope[ROLE] = role
            if role != READER or scope["method"] in READS or path in FOR_READERS:
                return None
            return PlainTextResponse("this token may read, not give commands\n", 403)
        if wait_s:
            return too_many(wait_s)
        if path in OPEN or path.startswith(OPEN_FILES):
            return None
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse(_login(scope), 303, {"cache-control": "no-store"})
        return PlainTextResponse(
            "a token is needed: send Authorization: Bearer TOKEN, or sign in at "
            "/login\n",
            401,
            CHALLENGE,
        )

    def _role(self, scope: Scope, headers: Headers) -> tuple[float, str | None]:
        """Who it is; else how long no other token of theirs is looked at."""
        if self._access.is_open:
            return 0, ANYONE
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            session = self._session(headers)
            return 0, self._access.role_of_session(session) if session else None
        return self._try(scope, token.strip())

    def _try(self, scope: Scope, token: str) -> tuple[float, str | None]:
        address = _peer(scope)
        if wait_s := self._guesses.wait_s(address):
            return wait_s, None
        role = self._access.role_of_token(token)
        if not role:
            self._guesses.wrong(address)
            logger.warning(Line(client=address, refused="token", path=scope["path"]))
        return 0, role

    def _session(self, headers: Headers) -> str:
        return cookie_parser(headers.get("cookie", "")).get(self._cookie, "")

    def sign_in(self, scope: Scope, token: str) -> tuple[int, str]:
        """200 and a cookie; or 403, 429 and what to tell."""
        wait_s, role = self._try(scope, token)
        if wait_s:
            return 429, f"too many wrong tokens: wait {ceil(wait_s)} s"
        if not role:
            return 403, "wrong token"
        logger.info(Line(client=_peer(scope), signed_in=role))
        return 200, self._set(scope, self._access.session(role), SESSION_S)

    def sign_out(self, scope: Scope) -> str:
        """The cookie that takes the session away."""
        self._access.end(self._session(Headers(scope=scope)))
        return self._set(scope, "", 0)

    def _set(self, scope: Scope, session: str, max_age_s: int) -> str:
        prefix = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
        path = quote(prefix, safe="/~") + "/"
        secure = "; Secure" if scope["scheme"] == "https" else ""
        return (
            f"{self._cookie}={session}; Max-Age={max_age_s}; Path={path}; HttpOnly; "
            f"SameSite=Strict{secure}"
        )

    def _shared(self, app: ASGIApp) -> ASGIApp:
        """With what a browser wants to be told before it hands the answer over."""
        return CORSMiddleware(
            app,
            allow_origins=self._rules.allowed_origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )


def too_many(wait_s: float) -> Response:
    return PlainTextResponse(
        f"too many wrong tokens: wait {ceil(wait_s)} s\n",
        429,
        {"retry-after": str(ceil(wait_s))},
    )


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether somebody has followed a link: a page of its own, not a part of one."""
    navigates = headers.get("sec-fetch-mode") == "navigate"
    is_page = headers.get("sec-fetch-dest", "document") == "document"
    return scope["method"] == "GET" and navigates and is_page


def _login(scope: Scope) -> str:
    """Relative, for a proxy may have put the host under a path of its own."""
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"].lstrip("/") + (f"?{query}" if query else "")
    up = "../" * (scope["path"].count("/") - 1)
    return f"{up or './'}login?then={quote(wanted, safe='')}"


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
