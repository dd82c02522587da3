"""Who may speak to the host: this machine, and no other page through a browser.

host/guard.py in front of an application that answers everything with "in".
"""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.guard import refusal

OURS = "127.0.0.1:8000"


def guarded(app: ASGIApp) -> ASGIApp:
    """As the host asks it before anything else."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        await (refusal(scope) or app)(scope, receive, send)

    return ask


async def send_through(
    method: str = "GET", **headers: str
) -> tuple[int, str]:  # status and body
    transport = httpx.ASGITransport(app=guarded(PlainTextResponse("in")))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.request(
            method, "http://any", headers={"host": OURS} | named
        )
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8000", "localhost", "localhost:1", "[::1]:8000"),
        "LocalHost:8000",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_requests_to_this_machine_by_its_own_names_pass(
    method: str, host: str
) -> None:
    assert await send_through(method, host=host) == (200, "in")


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "192.0.2.1"),
        *("localhost@evil.example", "[::1", "", "0.0.0.0"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_foreign_host_is_refused_with_the_names_that_work(
    method: str, host: str
) -> None:
    status, body = await send_through(method, host=host)

    assert status == 400
    assert f"Host {host!r} is not this machine" in body
    assert "use 127.0.0.1 or localhost" in body


async def test_a_request_without_a_host_is_refused() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await guarded(PlainTextResponse("in"))(scope, receive, send)

    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1"),
        *("http://localhost:8000", ""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_write_from_another_origin_is_refused(method: str, origin: str) -> None:
    status, body = await send_through(method, origin=origin)

    assert status == 403
    assert "another origin" in body


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//"])
async def test_an_origin_that_is_no_url_is_refused_as_foreign(origin: str) -> None:
    status, _ = await send_through("POST", origin=origin)

    assert status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_write_that_the_browser_calls_foreign_is_refused(site: str) -> None:
    status, _ = await send_through("POST", sec_fetch_site=site)

    assert status == 403


async def test_writes_of_the_hosts_own_page_pass() -> None:
    answer = await send_through(
        "POST", origin=f"http://{OURS}", sec_fetch_site="same-origin"
    )

    assert answer == (200, "in")


async def test_writes_of_programs_that_are_no_browser_pass() -> None:
    assert await send_through("POST") == (200, "in")


async def test_what_is_no_http_request_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    await guarded(app)({"type": "lifespan"}, receive, send)

    assert seen == ["lifespan"]
