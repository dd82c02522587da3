"""Tests when the host fetches OAuth tokens, and how it handles bad endpoints.

host/clients/oauth.py through host/clients/credentials.py, with real servers and a
fake clock.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qs

import anyio
import httpx
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients import oauth
from host.clients.credentials import Credentials
from host.clients.http_client import client
from host.config.agent_settings import AgentSettings, CredentialSettings
from host.errors import AgentUnreachable
from host.observability.redaction import redact
from tests.support.reply_server import (
    OTHER_ADDRESS,
    ReceivedRequest,
    Reply,
    ReplyServer,
    reply_server,
    token_reply,
)
from tests.support.waiting import wait_until_sync

SECRET = "hunter2/hunter2"


class Servers:
    """A token endpoint that issues t1, t2 …, and an agent that accepts the newest."""

    def __init__(self) -> None:
        self.issued = 0
        self.expires_in: object = 3600
        self.valid = ""
        self.now = 0.0
        self.tokens: ReplyServer
        self.agent: ReplyServer

    @contextmanager
    def open(self) -> Iterator[Servers]:
        with (
            reply_server(self.give) as self.tokens,
            reply_server(self.check) as self.agent,
        ):
            yield self

    def give(self, _: ReceivedRequest) -> Reply:
        self.issued += 1
        self.valid = f"t{self.issued}"
        return token_reply(self.valid, expires_in=self.expires_in)

    def check(self, seen: ReceivedRequest) -> Reply:
        known = seen.headers.get("authorization") == f"Bearer {self.valid}"
        return Reply() if known else Reply(401)

    def credentials(self, **more: Any) -> Credentials:
        secrets = CredentialSettings(
            client_id="me",
            client_secret=SECRET,
            **{"token_url": f"{self.tokens.url}/token"} | more,
        )
        settings = AgentSettings(self.agent.url, credentials=secrets)
        return Credentials(settings, lambda: self.now)


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers().open() as opened:
        yield opened


@asynccontextmanager
async def client_with(credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with client(httpx.Timeout(5), credentials.auth) as caller:
        yield caller


def card_requiring(token_url: str, *scopes: str) -> pb.AgentCard:
    flow = pb.ClientCredentialsOAuthFlow(token_url=token_url)
    scheme = pb.OAuth2SecurityScheme(flows=pb.OAuthFlows(client_credentials=flow))
    wanted = {"o": pb.StringList(list=scopes)}
    return pb.AgentCard(
        security_schemes={"o": pb.SecurityScheme(oauth2_security_scheme=scheme)},
        security_requirements=[pb.SecurityRequirement(schemes=wanted)],
    )


async def refusal(credentials: Credentials) -> str:
    with pytest.raises(AgentUnreachable) as refused:
        await credentials.authorization()
    return str(refused.value)


class TestToken:
    async def test_is_fetched_with_client_id_and_secret(self, servers: Servers) -> None:
        async with client_with(servers.credentials(scopes=("read", "write"))) as http:
            answer = await http.get(servers.agent.url)

        assert answer.status_code == 200
        (request,) = servers.tokens.requests
        pair = base64.b64decode(request.headers["authorization"].split()[1])
        assert pair == b"me:hunter2%2Fhunter2"
        assert parse_qs(request.body) == {
            "grant_type": ["client_credentials"],
            "scope": ["read write"],
        }

    async def test_is_kept_until_shortly_before_it_expires(
        self, servers: Servers
    ) -> None:
        async with client_with(servers.credentials()) as http:
            for servers.now in (0, 1, 3569, 3571, 3572):
                assert (await http.get(servers.agent.url)).status_code == 200

        assert servers.issued == 2

    @pytest.mark.parametrize(
        ("expires_in", "at", "fetched"),
        [
            (10, 7.9, 1),
            (10, 8.1, 2),
            ("10", 8.1, 2),
            (None, 1e9, 1),
            (0, 0.7, 1),
            (-5, 0.9, 2),
            ("soon", 1e9, 1),
            ("1e400", 1e9, 1),
        ],
    )
    async def test_lifetime_comes_from_the_endpoint(
        self, servers: Servers, expires_in: object, at: float, fetched: int
    ) -> None:
        servers.expires_in = expires_in
        credentials = servers.credentials()
        await credentials.authorization()
        servers.now = at

        await credentials.authorization()

        assert servers.issued == fetched

    async def test_is_renewed_once_after_a_refusal(self, servers: Servers) -> None:
        async with client_with(servers.credentials()) as http:
            await http.get(servers.agent.url)
            servers.valid, servers.now = "revoked", 60
            answer = await http.post(servers.agent.url, content=b"again")

        assert (answer.status_code, servers.issued) == (200, 2)
        assert [s.body for s in servers.agent.requests] == ["", "again", "again"]

    async def test_is_not_fetched_again_for_every_refusal(
        self, servers: Servers
    ) -> None:
        servers.agent.answer = lambda _: Reply(401)
        async with client_with(servers.credentials()) as http:
            servers.now = 60
            for _ in range(5):
                assert (await http.get(servers.agent.url)).status_code == 401

        assert servers.issued == 1
        assert len(servers.agent.requests) == 5

    async def test_is_renewed_after_a_refusal_of_any_length(
        self, servers: Servers
    ) -> None:
        credentials = servers.credentials()
        async with client_with(credentials) as http:
            await http.get(servers.agent.url)
            servers.agent.answer = lambda seen: (
                Reply(401, "no" * 1000, endless=True)
                if seen.headers["authorization"] == "Bearer t1"
                else Reply()
            )
            servers.now = 60
            answer = await http.get(servers.agent.url)

        assert answer.status_code == 200

    async def test_is_fetched_once_for_all_waiting_requests(
        self, servers: Servers
    ) -> None:
        async with (
            client_with(servers.credentials()) as http,
            anyio.create_task_group() as group,
        ):
            for _ in range(30):
                group.start_soon(http.get, servers.agent.url)

        assert servers.issued == 1

    async def test_is_renewed_once_for_all_refused_requests(
        self, servers: Servers
    ) -> None:
        async with client_with(servers.credentials()) as http:
            await http.get(servers.agent.url)
            servers.valid, servers.now = "revoked", 60
            async with anyio.create_task_group() as group:
                for _ in range(30):
                    group.start_soon(http.get, servers.agent.url)

        assert servers.issued == 2

    async def test_is_fetched_by_the_next_request_if_the_first_is_cancelled(
        self, servers: Servers
    ) -> None:
        opened = threading.Event()
        give = servers.give
        servers.tokens.answer = lambda seen: give(seen)._replace(ends=opened)
        credentials = servers.credentials()
        async with anyio.create_task_group() as group:
            group.start_soon(credentials.authorization)
            await anyio.to_thread.run_sync(
                wait_until_sync, lambda: servers.issued, "the first request", 5
            )
            group.cancel_scope.cancel()
        opened.set()

        assert await credentials.authorization() == "Bearer t2"

    async def test_is_in_grpc_metadata_and_renewed_after_a_refusal(
        self, servers: Servers
    ) -> None:
        credentials = servers.credentials()
        first = await credentials.metadata("127.0.0.1:50051")
        servers.now = 60
        credentials.discard_token()
        second = await credentials.metadata("127.0.0.1:50051")

        assert first == {"authorization": "Bearer t1"}
        assert second == {"authorization": "Bearer t2"}

    async def test_is_neither_sent_to_another_host_nor_fetched_for_it(
        self, servers: Servers
    ) -> None:
        with reply_server(address=OTHER_ADDRESS) as stranger:
            async with client_with(servers.credentials()) as http:
                await http.get(stranger.url)

        assert servers.issued == 0
        assert "authorization" not in stranger.requests[0].headers

    async def test_is_redacted_in_texts(self, servers: Servers) -> None:
        servers.tokens.answer = lambda _: token_reply("secret-token")
        credentials = servers.credentials()
        await credentials.authorization()

        assert redact("bad: secret-token") == "bad: [credential]"


class TestCard:
    async def test_has_the_token_url_and_the_scopes(self, servers: Servers) -> None:
        credentials = servers.credentials(token_url=None)
        assert await credentials.authorization() is None

        credentials.use_card(card_requiring(f"{servers.tokens.url}/other", "read"))

        assert await credentials.authorization() == "Bearer t1"
        assert servers.tokens.requests[0].target == "/other"
        assert parse_qs(servers.tokens.requests[0].body)["scope"] == ["read"]

    @pytest.mark.parametrize(
        "token_url",
        ["http://evil.test/token", "127.0.0.1/token", "ftp://127.0.0.1/", ""],
    )
    async def test_cannot_send_the_secret_to_another_host(
        self, servers: Servers, token_url: str
    ) -> None:
        credentials = servers.credentials(token_url=None)

        credentials.use_card(card_requiring(token_url))

        assert await credentials.authorization() is None
        assert credentials.trouble
        assert f"for a token of {token_url}" in credentials.trouble

    async def test_unchanged_card_keeps_the_token(self, servers: Servers) -> None:
        credentials = servers.credentials()
        for _ in range(3):
            credentials.use_card(card_requiring("http://evil.test/token", "read"))
            assert await credentials.authorization() == "Bearer t1"

        assert servers.issued == 1


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
            (Reply(200, "x" * 70_000), "response over 64 KiB"),
            (Reply(200, "x" * 1000, endless=True), "response over 64 KiB"),
        ],
    )
    async def test_error_does_not_quote_the_endpoint(
        self, servers: Servers, reply: Reply, why: str
    ) -> None:
        servers.tokens.answer = lambda _: reply

        said = await refusal(servers.credentials())

        assert said.startswith("OAuth: ")
        assert why in said
        assert f"{servers.tokens.url}/token" in said
        assert "hunter2" not in said

    async def test_error_names_a_refused_connection(self, servers: Servers) -> None:
        gone = "http://127.0.0.1:9/token?key=hunter2"

        said = await refusal(servers.credentials(token_url=gone))

        assert said.startswith("OAuth: no connection")
        assert "hunter2" not in said

    async def test_silent_endpoint_ends_at_the_deadline(
        self, servers: Servers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oauth, "DEADLINE_S", 0.2)
        over = threading.Event()
        servers.tokens.answer = lambda _: Reply(ends=over)

        said = await refusal(servers.credentials())

        over.set()
        assert "no response within 0.2 s" in said

    async def test_gets_one_request_for_all_waiting_requests(
        self, servers: Servers
    ) -> None:
        servers.tokens.answer = lambda _: Reply(500)
        credentials = servers.credentials()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(refusal, credentials)

        assert len(servers.tokens.requests) == 1

    async def test_gets_another_request_later(self, servers: Servers) -> None:
        servers.tokens.answer = lambda _: Reply(500)
        credentials = servers.credentials()
        await refusal(credentials)
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
        async with client_with(servers.credentials()) as http:
            with pytest.raises(AgentUnreachable, match="OAuth: HTTP 500"):
                await http.get(servers.agent.url)

        assert servers.agent.requests == []

    async def test_does_not_put_a_secret_in_the_log(
        self, servers: Servers, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        servers.tokens.answer = lambda _: Reply(401)

        await refusal(servers.credentials())

        assert caplog.text
        assert "hunter2" not in caplog.text
