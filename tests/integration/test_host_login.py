"""The login page of a real host, and its session cookie with and without TLS."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from httpx_sse import aconnect_sse

from tests.support.certificates import create_certificate
from tests.support.host_client import client
from tests.support.stack import Stack

TOKEN, READ_TOKEN = "operator-0123456789", "reader-0123456789"


HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = f"""
        host = "0.0.0.0"
        read_token = "{READ_TOKEN}"
    """
    folder = tmp_path_factory.mktemp("stack")
    with Stack(
        folder, ["carly"], log="memory", host_toml=settings, token=TOKEN
    ) as running:
        yield running


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with client(stack.url) as plain:
        yield plain


class TestLoginPage:
    async def test_redirects_back_after_login(self, http: httpx.AsyncClient) -> None:
        redirect = await http.get("/?agent=carly", headers=HTML)
        page = await http.get(redirect.headers["location"], headers=HTML)
        [then] = re.findall(r'name="then" value="([^"]*)"', page.text)
        form = {"token": READ_TOKEN, "then": then}
        back = await http.post(
            "/login", data=form, headers={"origin": str(http.base_url)}
        )

        assert [redirect.status_code, page.status_code] == [303, 200]
        assert back.status_code == 303
        assert back.headers["location"] == "./?agent=carly"
        assert READ_TOKEN not in back.headers["set-cookie"]
        home = await http.get(back.headers["location"], headers=HTML)
        assert 'data-role="reader"' in home.text

        out = await http.post("/logout")
        assert out.status_code == 303
        assert (await http.get("/agents")).status_code == 401

    @pytest.mark.parametrize(
        "then",
        [
            "//evil.example/",
            "https://evil.example",
            "/\\evil.example",
            "\\evil",
            "javascript:alert(1)",
            "\r\nset-cookie: a=b",
            "@evil.example",
        ],
    )
    async def test_redirects_only_to_this_host(
        self, http: httpx.AsyncClient, then: str
    ) -> None:
        answer = await http.post("/login", data={"token": READ_TOKEN, "then": then})

        where = httpx.URL("https://ours.example/login").join(answer.headers["location"])
        assert where.host == "ours.example"
        assert where.scheme == "https"
        assert "\n" not in answer.headers["location"]
        http.cookies.clear()

    async def test_accepts_only_short_forms(self, http: httpx.AsyncClient) -> None:
        as_json = await http.post("/login", json={"token": TOKEN})
        long = await http.post("/login", data={"token": "x" * 10_000})

        assert as_json.status_code == long.status_code == 415

    async def test_reports_a_wrong_token_without_repeating_it(
        self, http: httpx.AsyncClient
    ) -> None:
        answer = await http.post("/login", data={"token": "<b>wrong</b>"})

        assert answer.status_code == 403
        assert "Wrong token." in answer.text
        assert "<b>" not in answer.text
        assert "set-cookie" not in answer.headers


async def test_host_serves_feed_and_secure_cookie_over_tls(
    tmp_path: Path,
) -> None:
    cert, key = create_certificate(tmp_path)
    settings = f'tls_cert = "{cert}"\ntls_key = "{key}"'
    with Stack(
        tmp_path,
        [],
        log="memory",
        host_toml=settings,
        token=TOKEN,
        scheme="https",
    ) as stack:
        trust = ssl.create_default_context(cafile=cert)
        async with httpx.AsyncClient(
            base_url=stack.url, verify=trust, trust_env=False
        ) as http:
            signed_in = await http.post("/login", data={"token": TOKEN})
            assert "Secure" in signed_in.headers["set-cookie"]
            async with aconnect_sse(http, "GET", "/feed") as source:
                events = (got async for got in source.aiter_sse() if got.data)
                first = await anext(events)
            card = (await http.get("/.well-known/agent-card.json")).json()

    assert first.event == "snapshot"
    assert card["supportedInterfaces"][0]["url"].startswith("https://")
