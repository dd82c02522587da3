"""Tests which credentials real servers receive, and which they do not.

host/clients/credentials.py and host/clients/http_client.py. See also
test_security_schemes.py and test_oauth.py.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from host.clients.credentials import Credentials
from host.clients.http_client import client
from host.observability.logfmt import LogFormatter
from host.observability.redaction import redact
from tests.support.agent_credentials import (
    EVERYTHING,
    SECRET,
    card_requiring_key,
    credentials_for,
)
from tests.support.reply_server import OTHER_ADDRESS, Reply, reply_server


@asynccontextmanager
async def client_with(credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with client(httpx.Timeout(5), credentials.auth) as caller:
        yield caller


class TestSentToTheAgent:
    async def test_bearer_token(self) -> None:
        with reply_server() as agent:
            async with client_with(credentials_for(agent.url, bearer="abc")) as http:
                await http.get(agent.url)

        assert agent.requests[0].headers["authorization"] == "Bearer abc"

    async def test_username_and_password_with_any_letters(self) -> None:
        given: dict[str, Any] = {"username": "zoë", "password": "p:w é"}
        with reply_server() as agent:
            async with client_with(credentials_for(agent.url, **given)) as http:
                await http.get(agent.url)

        kind, _, pair = agent.requests[0].headers["authorization"].partition(" ")
        assert kind == "Basic"
        assert base64.b64decode(pair).decode() == "zoë:p:w é"

    async def test_configured_headers(self) -> None:
        given: dict[str, Any] = {"headers": {"X-Team": "blue", "X-Region": "eu"}}
        with reply_server() as agent:
            async with client_with(credentials_for(agent.url, **given)) as http:
                await http.get(agent.url)

        assert agent.requests[0].headers["x-team"] == "blue"
        assert agent.requests[0].headers["x-region"] == "eu"

    async def test_api_key_in_a_header(self) -> None:
        card = card_requiring_key("header", "X-Key")
        with reply_server() as agent:
            credentials = credentials_for(agent.url, card=card, api_key="a b=c")
            async with client_with(credentials) as http:
                await http.get(agent.url)

        assert agent.requests[0].headers["x-key"] == "a b=c"

    @pytest.mark.parametrize(
        ("asked", "target"),
        [
            ("/a2a", "/a2a?key=a%26b%3D%2F"),
            ("/a2a?x=1&y=%20", "/a2a?x=1&y=%20&key=a%26b%3D%2F"),
        ],
    )
    async def test_api_key_in_the_query(self, asked: str, target: str) -> None:
        card = card_requiring_key("query", "key")
        with reply_server() as agent:
            credentials = credentials_for(agent.url, card=card, api_key="a&b=/")
            async with client_with(credentials) as http:
                await http.get(f"{agent.url}{asked}")

        assert agent.requests[0].target == target

    async def test_api_key_in_a_cookie_beside_other_cookies(self) -> None:
        card = card_requiring_key("cookie", "key")
        with reply_server() as agent:
            credentials = credentials_for(agent.url, card=card, api_key="k")
            async with client_with(credentials) as http:
                await http.get(agent.url)
                await http.get(agent.url, headers={"cookie": "a=1"})

        assert [s.headers["cookie"] for s in agent.requests] == ["key=k", "a=1; key=k"]

    async def test_all_credentials_until_the_card_is_known(self) -> None:
        with reply_server() as agent:
            async with client_with(credentials_for(agent.url, **EVERYTHING)) as http:
                await http.get(f"{agent.url}/.well-known/agent-card.json")

        headers = agent.requests[0].headers
        assert headers["authorization"] == f"Bearer {SECRET}"
        assert headers["x-api-key"] == SECRET
        assert headers["x-team"] == f"blue {SECRET}"

    async def test_only_the_credentials_that_the_card_requires(self) -> None:
        card = card_requiring_key("header", "X-Key")
        with reply_server() as agent:
            credentials = credentials_for(agent.url, card=card, **EVERYTHING)
            async with client_with(credentials) as http:
                await http.get(agent.url)

        assert agent.requests[0].headers["x-key"] == SECRET
        assert "authorization" not in agent.requests[0].headers
        assert "x-api-key" not in agent.requests[0].headers

    async def test_credentials_at_a_trusted_host(self) -> None:
        with reply_server() as agent:
            credentials = credentials_for("http://c.test", "127.0.0.1", **EVERYTHING)
            async with client_with(credentials) as http:
                await http.get(agent.url)

        assert agent.requests[0].headers["authorization"] == f"Bearer {SECRET}"

    async def test_stream_is_read_while_it_is_sent(self) -> None:
        with reply_server(lambda _: Reply(body="data: {}\n\n", endless=True)) as agent:
            async with (
                client_with(credentials_for(agent.url, **EVERYTHING)) as http,
                http.stream("POST", agent.url) as answer,
            ):
                async for piece in answer.aiter_raw():
                    assert piece
                    break

    async def test_refused_bearer_token_is_sent_only_once(self) -> None:
        with reply_server(lambda _: Reply(401)) as agent:
            async with client_with(credentials_for(agent.url, **EVERYTHING)) as http:
                answer = await http.get(agent.url)

        assert (answer.status_code, len(agent.requests)) == (401, 1)


class TestNotSent:
    async def test_to_another_host(self) -> None:
        """A card may offer an interface at any host."""
        with reply_server() as stranger:
            credentials = credentials_for("http://c.test", **EVERYTHING)
            async with client_with(credentials) as http:
                await http.post(f"{stranger.url}/a2a", json={})

        assert SECRET not in str(stranger.requests)

    @pytest.mark.parametrize("place", ["header", "query", "cookie"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_after_a_redirect(self, place: str, status: int) -> None:
        card = card_requiring_key(place, "key")
        with reply_server(address=OTHER_ADDRESS) as stranger:
            away = {"location": stranger.url}
            with reply_server(lambda _: Reply(status, headers=away)) as agent:
                credentials = credentials_for(agent.url, card=card, **EVERYTHING)
                async with client_with(credentials) as http:
                    answer = await http.get(agent.url)

        assert answer.status_code == status
        assert SECRET in str(agent.requests)
        assert stranger.requests == []

    @pytest.mark.parametrize("place", ["header", "query", "cookie"])
    async def test_when_the_caller_follows_a_redirect(self, place: str) -> None:
        card = card_requiring_key(place, "key")
        with reply_server(address=OTHER_ADDRESS) as stranger:
            away = {"location": f"{stranger.url}/?x=1"}
            with reply_server(lambda _: Reply(302, headers=away)) as agent:
                credentials = credentials_for(agent.url, card=card, **EVERYTHING)
                async with client_with(credentials) as http:
                    answer = await http.get(agent.url)
                    assert answer.next_request
                    await http.send(answer.next_request)

        assert SECRET in str(agent.requests)
        assert [s.target for s in stranger.requests] == ["/?x=1"]
        assert SECRET not in str(stranger.requests)

    @pytest.mark.parametrize(
        ("url", "host", "encrypted", "allowed"),
        [
            ("https://c.test", "c.test", True, True),
            ("https://c.test", "C.TEST.", True, True),
            ("https://c.test", "c.test", False, False),
            ("http://c.test", "c.test", False, True),
            ("https://c.test", "api.test", True, True),
            ("https://c.test", "api.test", False, False),
            ("https://c.test", "evil.c.test", True, False),
            ("https://c.test", "c.test.evil", True, False),
            ("https://c.test", "evil", True, False),
            ("https://c.test", "", True, False),
            ("https://c.test", "a b/", True, False),
            ("http://localhost:1", "127.0.0.1", False, True),
            ("https://[::1]:1", "localhost", False, True),
            ("http://c.test", "localhost", False, False),
            ("http://bücher.test", "xn--bcher-kva.test", False, True),
            ("http://xn--bcher-kva.test", "bücher.test", False, True),
        ],
    )
    def test_unless_the_host_is_trusted_and_the_connection_safe(
        self, url: str, host: str, encrypted: bool, allowed: bool
    ) -> None:
        credentials = credentials_for(url, "api.test")

        assert credentials.allows(host, encrypted=encrypted) is allowed

    @pytest.mark.parametrize("text", ["http://[", "http://x:y", "::::", "\0", "a@b"])
    def test_to_an_invalid_url(self, text: str) -> None:
        assert not credentials_for("http://c.test").allows_url(text)
        assert not credentials_for("http://c.test").allows(text)

    async def test_to_a_log_or_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.handler.setFormatter(LogFormatter("logfmt"))
        card = card_requiring_key("query", "key")
        with reply_server(lambda _: Reply(500)) as agent:
            credentials = credentials_for(agent.url, card=card, **EVERYTHING)
            async with client_with(credentials) as http:
                answer = await http.get(agent.url)
                with pytest.raises(httpx.HTTPStatusError) as failed:
                    answer.raise_for_status()

        assert SECRET in agent.requests[0].target
        assert SECRET not in str(failed.value)
        assert SECRET not in repr(credentials)
        assert SECRET not in caplog.text
        assert caplog.text

    async def test_in_the_text_of_an_agent_that_echoes_it(self) -> None:
        _held = credentials_for(
            "http://c.test",
            bearer=f"{SECRET}-longer",
            username="me",
            password=SECRET,
            headers={"X-Team": "blue"},
        )
        basic = base64.b64encode(f"me:{SECRET}".encode()).decode()

        redacted = redact(f"no: {SECRET}-longer, {SECRET}, {basic}, blue")

        assert redacted == "no: [credential], [credential], [credential], blue"
