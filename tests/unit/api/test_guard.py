"""Tests which host names and origins may send requests to the host.

Covers host/api/guard.py in front of an application that always answers "in".
"""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from host.api.guard import Guard
from host.config.access_rules import AccessRules
from tests.support.guarded_app import (
    LOCKED,
    OURS,
    TOKEN,
    ask,
    bearer,
    protect,
    send_through,
)


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
