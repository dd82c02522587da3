"""Tests how the host handles OAuth token endpoints that fail.

host/clients/oauth.py through host/clients/credentials.py, with real servers and a
fake clock.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import anyio
import pytest

from host.clients import oauth
from host.errors import AgentUnreachable
from tests.support.oauth_servers import SECRET, Servers, get_error, open_client
from tests.support.reply_server import (
    ReceivedRequest,
    Reply,
    token_reply,
)


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers().open() as opened:
        yield opened


class TestBadEndpoint:
    @pytest.mark.parametrize(
        ("reply", "why"),
        [
            (Reply(400, '{"error": "invalid_scope"}'), "HTTP 400 invalid_scope"),
            (Reply(401, '{"error": "invalid_client"}'), "HTTP 401 invalid_client"),
            (Reply(400, '{"error": "hunter2/hunter2"}'), "HTTP 400"),
            (Reply(401, "<html>"), "HTTP 401"),
            (Reply(500, ""), "HTTP 500"),
            (Reply(302, headers={"location": "http://evil.test"}), "HTTP 302"),
            (Reply(200, "hunter2/hunter2"), "the response contains no token"),
            (Reply(200, "[" * 10_000), "the response contains no token"),
            (Reply(200, "\udcff".encode("utf-8", "replace").decode()), "no token"),
            (Reply(200, "{}"), "the response contains no token"),
            (Reply(200, '{"access_token": 7}'), "the response contains no token"),
            (Reply(200, '{"access_token": "a\\nb"}'), "the response contains no token"),
            (
                Reply(200, '{"access_token": "abc", "token_type": "mac"}'),
                "the token is not a bearer token",
            ),
            (Reply(200, "x" * oauth.MAX_RESPONSE), "the response contains no token"),
            (Reply(200, "x" * (oauth.MAX_RESPONSE + 1)), "response over 64 KiB"),
            (Reply(200, "x" * 1000, endless=True), "response over 64 KiB"),
        ],
    )
    async def test_error_does_not_quote_the_endpoint(
        self, servers: Servers, reply: Reply, why: str
    ) -> None:
        servers.tokens.answer = lambda _: reply

        error = await get_error(servers.credentials())

        assert error.startswith("OAuth: ")
        assert why in error
        assert f"{servers.tokens.url}/token" in error
        assert "hunter2" not in error

    async def test_error_names_a_refused_connection(self, servers: Servers) -> None:
        gone = "http://127.0.0.1:9/token?key=hunter2"

        error = await get_error(servers.credentials(token_url=gone))

        assert error.startswith("OAuth: no connection")
        assert "hunter2" not in error

    async def test_silent_endpoint_ends_at_the_deadline(
        self, servers: Servers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oauth, "DEADLINE_S", 0.2)
        over = threading.Event()
        servers.tokens.answer = lambda _: Reply(ends=over)

        error = await get_error(servers.credentials())

        over.set()
        assert "no response within 0.2 s" in error

    async def test_gets_one_request_for_all_waiting_requests(
        self, servers: Servers
    ) -> None:
        servers.tokens.answer = lambda _: Reply(500)
        credentials = servers.credentials()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(get_error, credentials)

        assert len(servers.tokens.requests) == 1

    async def test_gets_another_request_later(self, servers: Servers) -> None:
        servers.tokens.answer = lambda _: Reply(500)
        credentials = servers.credentials()
        await get_error(credentials)
        servers.tokens.answer, servers.now = servers.give, 1

        assert await credentials.authorization() == "Bearer t1"

    async def test_gets_a_form_if_it_does_not_support_basic(
        self, servers: Servers
    ) -> None:
        def give(seen: ReceivedRequest) -> Reply:
            if "authorization" in seen.headers:
                return Reply(401, json.dumps({"error": "invalid_client"}))
            assert parse_qs(seen.body)["client_secret"] == [SECRET]
            return token_reply("t1", expires_in=10)

        servers.tokens.answer = give
        credentials = servers.credentials()
        assert await credentials.authorization() == "Bearer t1"
        servers.now = 9
        await credentials.authorization()

        assert len(servers.tokens.requests) == 3

    async def test_fails_the_call_with_the_cause(self, servers: Servers) -> None:
        servers.tokens.answer = lambda _: Reply(500)
        async with open_client(servers.credentials()) as http:
            with pytest.raises(AgentUnreachable, match="OAuth: HTTP 500"):
                await http.get(servers.agent.url)

        assert servers.agent.requests == []

    async def test_does_not_put_a_secret_in_the_log(
        self, servers: Servers, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        servers.tokens.answer = lambda _: Reply(401)

        await get_error(servers.credentials())

        assert caplog.text
        assert "hunter2" not in caplog.text
