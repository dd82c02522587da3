"""Tests when the host fetches OAuth tokens.

host/clients/oauth.py through host/clients/credentials.py, with real servers and a
fake clock.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import anyio
import pytest

from host.observability.redaction import redact
from tests.support.oauth_servers import Servers, create_card, open_client
from tests.support.reply_server import (
    OTHER_ADDRESS,
    Reply,
    reply_server,
    token_reply,
)
from tests.support.waiting import wait_until_sync


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers().open() as opened:
        yield opened


class TestToken:
    async def test_is_fetched_with_client_id_and_secret(self, servers: Servers) -> None:
        async with open_client(servers.credentials(scopes=("read", "write"))) as http:
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
        async with open_client(servers.credentials()) as http:
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
        async with open_client(servers.credentials()) as http:
            await http.get(servers.agent.url)
            servers.valid, servers.now = "revoked", 60
            answer = await http.post(servers.agent.url, content=b"again")

        assert (answer.status_code, servers.issued) == (200, 2)
        assert [s.body for s in servers.agent.requests] == ["", "again", "again"]

    async def test_is_not_fetched_again_for_every_refusal(
        self, servers: Servers
    ) -> None:
        servers.agent.answer = lambda _: Reply(401)
        async with open_client(servers.credentials()) as http:
            servers.now = 60
            for _ in range(5):
                assert (await http.get(servers.agent.url)).status_code == 401

        assert servers.issued == 1
        assert len(servers.agent.requests) == 5

    async def test_is_renewed_after_a_refusal_of_any_length(
        self, servers: Servers
    ) -> None:
        credentials = servers.credentials()
        async with open_client(credentials) as http:
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
            open_client(servers.credentials()) as http,
            anyio.create_task_group() as group,
        ):
            for _ in range(30):
                group.start_soon(http.get, servers.agent.url)

        assert servers.issued == 1

    async def test_is_renewed_once_for_all_refused_requests(
        self, servers: Servers
    ) -> None:
        async with open_client(servers.credentials()) as http:
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
            async with open_client(servers.credentials()) as http:
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

        credentials.use_card(create_card(f"{servers.tokens.url}/other", "read"))

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

        credentials.use_card(create_card(token_url))

        assert await credentials.authorization() is None
        assert credentials.trouble
        assert f"for a token of {token_url}" in credentials.trouble

    async def test_unchanged_card_keeps_the_token(self, servers: Servers) -> None:
        credentials = servers.credentials()
        for _ in range(3):
            credentials.use_card(create_card("http://evil.test/token", "read"))
            assert await credentials.authorization() == "Bearer t1"

        assert servers.issued == 1
