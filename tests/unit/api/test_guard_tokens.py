"""Tests access with a token, and browser sessions that replace it.

Covers host/api/guard.py and host/api/sessions.py.
"""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from host.api.guard import Guard
from host.api.sessions import (
    MAX_ADDRESSES,
    MAX_WRONG_TOKENS,
    WRONG_TOKEN_EVERY_S,
    Authenticator,
    WrongTokenLimit,
)
from tests.support.guarded_app import (
    LOCKED,
    OPEN,
    OURS,
    PROXIED,
    READ_TOKEN,
    TOKEN,
    ask,
    bearer,
    show_role,
)


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


class TestWrongTokenLimit:
    def test_allows_one_more_token_after_each_pause(self) -> None:
        now = 100.0
        limit = WrongTokenLimit(lambda: now)
        for _ in range(MAX_WRONG_TOKENS):
            assert not limit.wait_s("192.0.2.1")
            limit.count("192.0.2.1")

        assert limit.wait_s("192.0.2.1") == WRONG_TOKEN_EVERY_S
        now += WRONG_TOKEN_EVERY_S
        assert not limit.wait_s("192.0.2.1")
        limit.count("192.0.2.1")
        assert limit.wait_s("192.0.2.1") == WRONG_TOKEN_EVERY_S

    def test_forgets_only_the_oldest_address(self) -> None:
        limit = WrongTokenLimit(lambda: 100.0)
        addresses = [f"10.{n >> 8}.{n & 255}.1" for n in range(MAX_ADDRESSES + 1)]
        for address in addresses[:2] * MAX_WRONG_TOKENS:
            limit.count(address)
        for address in addresses[2:-1]:
            limit.count(address)

        assert all(limit.wait_s(address) for address in addresses[:2])
        limit.count(addresses[-1])
        assert not limit.wait_s(addresses[0])
        assert limit.wait_s(addresses[1])


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

    @pytest.mark.parametrize(
        "around",
        ["{}", "a=1; {}", "{}; a=1", "a=1;{} ;b", 'a="x{}"; {}', "courtside_80=x; {}"],
    )
    async def test_session_is_found_among_other_cookies(self, around: str) -> None:
        guard = Guard("127.0.0.1", 8000, LOCKED)
        _, cookie = guard.sessions.sign_in(http_scope(), TOKEN)
        session = cookie.partition(";")[0]

        answer = await ask(guard, app=show_role, cookie=around.replace("{}", session))

        assert answer.text == "operator"

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
