"""Tests access to the host: host names, origins, tokens, sessions and proxies.

Covers host/api/guard.py in front of an application that always answers "in".
"""

from __future__ import annotations

from ipaddress import ip_network

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.api.guard import Guard
from host.api.sessions import ROLE, Authenticator
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


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "localhost",
        "localhost:1",
        "[::1]:8000",
        "LocalHost:8000",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_loopback_names_are_accepted(method: str, host: str) -> None:
    assert await send_through(method, host=host) == (200, "in")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "localhost@evil.example",
        "[::1",
        "",
        "0.0.0.0",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_host_is_refused_with_the_accepted_names(
    method: str, host: str
) -> None:
    status, body = await send_through(method, host=host)

    assert status == 400
    assert f"Host {host!r} is not a name of this host" in body
    assert "use 127.0.0.1 or localhost" in body


async def test_request_without_a_host_is_refused() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await protect(PlainTextResponse("in"))(scope, receive, send)

    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "http://127.0.0.1",
        "http://localhost:8000",
        "",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_write_from_another_origin_is_refused(method: str, origin: str) -> None:
    status, body = await send_through(method, origin=origin)

    assert status == 403
    assert "another origin" in body


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//"])
async def test_write_from_an_invalid_origin_is_refused(origin: str) -> None:
    status, _ = await send_through("POST", origin=origin)

    assert status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_write_with_a_cross_site_header_is_refused(site: str) -> None:
    status, _ = await send_through("POST", sec_fetch_site=site)

    assert status == 403


async def test_write_of_the_dashboard_is_accepted() -> None:
    answer = await send_through(
        "POST", origin=f"http://{OURS}", sec_fetch_site="same-origin"
    )

    assert answer == (200, "in")


async def test_write_without_browser_headers_is_accepted() -> None:
    assert await send_through("POST") == (200, "in")


async def test_other_asgi_messages_are_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    await protect(app)({"type": "lifespan"}, receive, send)

    assert seen == ["lifespan"]


class TestForeignPage:
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    @pytest.mark.parametrize("dest", ["script", "image", "iframe", "empty"])
    async def test_cannot_embed_a_response(self, site: str, dest: str) -> None:
        mode = "navigate" if dest == "iframe" else "no-cors"

        status, body = await send_through(
            sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=dest
        )

        assert (status, body == "in") == (403, False)

    async def test_can_link_to_the_dashboard(self) -> None:
        answer = await send_through(
            sec_fetch_site="cross-site",
            sec_fetch_mode="navigate",
            sec_fetch_dest="document",
        )

        assert answer == (200, "in")

    async def test_can_read_and_write_from_an_allowed_origin(self) -> None:
        rules = AccessRules(allowed_origins=("https://app.example",))
        guard = Guard("127.0.0.1", 8000, rules)

        ours = await ask(guard, "POST", origin="https://app.example")
        other = await ask(guard, "POST", origin="https://evil.example")

        assert ours.text == "in"
        assert ours.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in ours.headers
        assert other.status_code == 403
        assert "access-control-allow-origin" not in other.headers

    async def test_preflight_from_an_allowed_origin_needs_no_token(self) -> None:
        rules = AccessRules(token=TOKEN, allowed_origins=("https://app.example",))
        guard = Guard("127.0.0.1", 8000, rules)

        asked = await ask(
            guard,
            "OPTIONS",
            origin="https://app.example",
            access_control_request_method="POST",
            access_control_request_headers="authorization",
        )
        sent = await ask(guard, "POST", origin="https://app.example")

        assert asked.status_code == 200
        assert "authorization" in asked.headers["access-control-allow-headers"]
        assert sent.status_code == 401


class TestToken:
    @pytest.mark.parametrize(
        "authorization",
        ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", TOKEN, "Basic eDp5", "Bearer ü"],
    )
    @pytest.mark.parametrize("path", ["/", "/feed", "/a2a/carly", "/metrics", "/debug"])
    async def test_is_required_for_every_path(
        self, authorization: str, path: str
    ) -> None:
        answer = await ask(
            Guard("127.0.0.1", 8000, LOCKED), path=path, authorization=authorization
        )

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "/login" in answer.text

    @pytest.mark.parametrize("path", ["/healthz", "/login", "/static/style/base.css"])
    async def test_is_not_required_for_health_login_and_static_files(
        self, path: str
    ) -> None:
        answer = await ask(Guard("127.0.0.1", 8000, LOCKED), path=path, app=show_role)

        assert answer.text == "nobody"

    async def test_in_the_header_gives_the_operator_role(self) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)

        answer = await ask(guard, "POST", app=show_role, authorization=bearer(TOKEN))

        assert answer.text == "operator"

    @pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
    async def test_for_reading_cannot_write(self, method: str) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)
        key = bearer(READ_TOKEN)

        read = await ask(guard, app=show_role, authorization=key)
        written = await ask(guard, method, authorization=key)

        assert read.text == "reader"
        assert written.status_code == 403
        assert "may only read" in written.text

    async def test_is_not_required_if_none_is_configured(self) -> None:
        guard = Guard("127.0.0.1", 8000, OPEN)

        assert (await ask(guard, app=show_role)).text == "anyone"

    async def test_guesses_are_rate_limited_after_ten_attempts(self) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)

        async def guess(token: str, client: str) -> int:
            answer = await ask(guard, client=client, authorization=bearer(token))
            return answer.status_code

        wrong = [await guess(f"wrong-{n}", "192.0.2.1") for n in range(12)]

        assert wrong == [401] * 10 + [429] * 2
        assert await guess(TOKEN, "192.0.2.1") == 429
        assert await guess(TOKEN, "192.0.2.2") == 200


async def test_admitted_request_goes_directly_to_the_application() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    headers = [(b"host", OURS.encode()), (b"authorization", bearer(TOKEN).encode())]
    scope: Scope = {"type": "http", "method": "GET", "path": "/feed"}
    for rules in (OPEN, LOCKED, PROXIED):
        guard = Guard("127.0.0.1", 8000, rules)

        assert guard.check_request({**scope, "headers": headers}, stream) is stream


class TestBrowserSession:
    async def test_missing_session_redirects_to_the_login_page(self) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)

        answer = await ask(guard, path="/?agent=carly&tab=tasks", accept="text/html")
        deep = await ask(guard, path="/feed/41", accept="text/html")

        assert answer.status_code == deep.status_code == 303
        assert (
            answer.headers["location"] == "./login?then=%3Fagent%3Dcarly%26tab%3Dtasks"
        )
        assert deep.headers["location"] == "../login?then=feed%2F41"

    async def test_cookie_does_not_contain_the_token(self) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)

        status, cookie = guard.sessions.sign_in(http_scope(), TOKEN)
        session = cookie.partition(";")[0]
        answer = await ask(guard, app=show_role, cookie=f"other=1; {session}")

        assert status == 200
        assert TOKEN not in cookie
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert answer.text == "operator"

    async def test_cookie_is_secure_over_https(self) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)

        _, cookie = guard.sessions.sign_in(http_scope(scheme="https"), TOKEN)

        assert "Secure" in cookie.split("; ")

    async def test_sign_out_also_ends_copies_of_the_session(self) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)
        _, cookie = guard.sessions.sign_in(http_scope(), TOKEN)
        session = cookie.partition(";")[0]

        away = guard.sessions.sign_out(http_scope(cookie=session))

        assert "Max-Age=0" in away
        assert (await ask(guard, cookie=session)).status_code == 401

    @pytest.mark.parametrize(
        "cookie", ["", "x", "operator", "operator.9999999999.ab.cd", "...", "ü.1.2.3"]
    )
    async def test_forged_session_is_refused(self, cookie: str) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)
        answer = await ask(guard, cookie=f"courtside_8000={cookie}")

        assert answer.status_code == 401


def http_scope(scheme: str = "http", **headers: str) -> Scope:
    pairs = [(name.encode(), text.encode()) for name, text in headers.items()]
    return {
        "type": "http",
        "scheme": scheme,
        "headers": pairs,
        "client": ("127.0.0.1", 1),
        "path": "/login",
    }


class TestSession:
    def test_survives_a_restart_of_the_host(self) -> None:
        session = Authenticator(TOKEN, READ_TOKEN).create_session("reader")

        assert Authenticator(TOKEN, READ_TOKEN).find_session_role(session) == "reader"

    def test_ends_when_its_token_changes(self) -> None:
        session = Authenticator(TOKEN, READ_TOKEN).create_session("reader")

        assert (
            Authenticator(TOKEN, "another-read-token").find_session_role(session)
            is None
        )
        assert Authenticator(TOKEN, "").find_session_role(session) is None

    def test_expires_after_seven_days(self) -> None:
        now = 1_000_000.0
        access = Authenticator(TOKEN, "", clock=lambda: now)
        session = access.create_session("operator")

        now += 7 * 24 * 3600 - 1
        assert access.find_session_role(session) == "operator"
        now += 2
        assert access.find_session_role(session) is None

    @pytest.mark.parametrize("at", range(3))
    def test_changed_session_is_invalid(self, at: int) -> None:
        access = Authenticator(TOKEN, READ_TOKEN)
        parts = access.create_session("reader").split(".")
        parts[at] = ("operator", "9999999999", "0000")[at]

        assert access.find_session_role(".".join(parts)) is None


class TestProxy:
    @pytest.mark.parametrize("host", ["courtside.example", "courtside.example:443"])
    async def test_trusted_proxy_sets_the_host_name(self, host: str) -> None:
        status, body = await send_through(
            "POST",
            PROXIED,
            x_forwarded_host=host,
            x_forwarded_proto="https",
            origin=f"https://{host}",
            authorization=bearer(TOKEN),
        )

        assert (status, body) == (200, "in")

    async def test_trusted_proxy_can_set_only_allowed_names(self) -> None:
        status, _ = await send_through(
            "GET",
            PROXIED,
            x_forwarded_host="evil.example",
            authorization=bearer(TOKEN),
        )

        assert status == 400

    async def test_headers_of_an_untrusted_proxy_are_removed(self) -> None:
        seen: list[tuple[str, list[str]]] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            names = [name.decode() for name, _ in scope["headers"]]
            seen.append((scope["scheme"], names))
            await PlainTextResponse("in")(scope, receive, send)

        await ask(
            Guard("127.0.0.1", 8000, OPEN),
            app=app,
            x_forwarded_host="evil.example",
            x_forwarded_proto="https",
            x_forwarded_prefix="/evil",
            x_forwarded_for="192.0.2.7",
        )

        [(scheme, names)] = seen
        assert scheme == "http"
        assert not [name for name in names if name.startswith("x-forwarded")]

    async def test_trusted_proxy_does_not_allow_addresses_as_host(self) -> None:
        """Addresses are accepted only if `host` is not loopback (docs/security.md)."""
        guard = Guard("127.0.0.1", 8000, PROXIED)

        answer = await ask(guard, host="192.0.2.1", authorization=bearer(TOKEN))

        assert answer.status_code == 400

    async def test_rate_limit_applies_to_the_client_behind_the_proxy(self) -> None:
        guard = Guard("127.0.0.1", 8000, PROXIED)

        async def guess(token: str, client: str) -> int:
            answer = await ask(
                guard,
                authorization=bearer(token),
                x_forwarded_for=f"203.0.113.9, {client}, 127.0.0.1",
            )
            return answer.status_code

        for _ in range(10):
            await guess("wrong", "192.0.2.1")

        assert await guess(TOKEN, "192.0.2.1") == 429
        assert await guess(TOKEN, "192.0.2.2") == 200


class TestExposedHost:
    @pytest.mark.parametrize("host", ["192.0.2.1:8000", "[2001:db8::1]:8000", OURS])
    async def test_accepts_its_addresses_as_host(self, host: str) -> None:
        guard = Guard("0.0.0.0", 8000, LOCKED)

        answer = await ask(guard, host=host, authorization=bearer(TOKEN))

        assert answer.text == "in"

    async def test_accepts_only_allowed_names_as_host(self) -> None:
        rules = AccessRules(token=TOKEN, allowed_hosts=("courtside.example",))
        guard = Guard("0.0.0.0", 8000, rules)
        key = bearer(TOKEN)

        ours = await ask(guard, host="Courtside.example:8000", authorization=key)
        other = await ask(guard, host="evil.example:8000", authorization=key)

        assert ours.text == "in"
        assert other.status_code == 400
        assert "allowed_hosts" in other.text
