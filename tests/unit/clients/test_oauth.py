"""OAuth tokens: when one is fetched, how often, and what a bad endpoint cannot do.

host/clients/oauth.py through host/clients/credentials.py, with real servers and a clock
of the test's.
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
from tests.support.harness import wait_until
from tests.support.locked_agent import ELSEWHERE, Locked, Reply, Seen, locked, token

SECRET = "hunter2/hunter2"


class Office:
    """A token endpoint that gives t1, t2 … and an agent that takes the last of them."""

    def __init__(self) -> None:
        self.given = 0
        self.expires_in: object = 3600
        self.valid = ""
        self.now = 0.0
        self.tokens: Locked
        self.agent: Locked

    @contextmanager
    def open(self) -> Iterator[Office]:
        with locked(self.give) as self.tokens, locked(self.check) as self.agent:
            yield self

    def give(self, _: Seen) -> Reply:
        self.given += 1
        self.valid = f"t{self.given}"
        return token(self.valid, expires_in=self.expires_in)

    def check(self, seen: Seen) -> Reply:
        known = seen.headers.get("authorization") == f"Bearer {self.valid}"
        return Reply() if known else Reply(401)

    def credentials(self, **more: Any) -> Credentials:
        given = CredentialSettings(
            client_id="me",
            client_secret=SECRET,
            **{"token_url": f"{self.tokens.url}/token"} | more,
        )
        settings = AgentSettings(self.agent.url, credentials=given)
        return Credentials(settings, lambda: self.now)


@pytest.fixture
def office() -> Iterator[Office]:
    with Office().open() as opened:
        yield opened


@asynccontextmanager
async def calling(credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with client(httpx.Timeout(5), credentials.auth) as caller:
        yield caller


def asking(token_url: str, *scopes: str) -> pb.AgentCard:
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


class TestAToken:
    async def test_is_fetched_with_the_clients_id_and_secret(
        self, office: Office
    ) -> None:
        async with calling(office.credentials(scopes=("read", "write"))) as http:
            answer = await http.get(office.agent.url)

        assert answer.status_code == 200
        (request,) = office.tokens.seen
        pair = base64.b64decode(request.headers["authorization"].split()[1])
        assert pair == b"me:hunter2%2Fhunter2"
        assert parse_qs(request.body) == {
            "grant_type": ["client_credentials"],
            "scope": ["read write"],
        }

    async def test_is_kept_until_shortly_before_its_end(self, office: Office) -> None:
        async with calling(office.credentials()) as http:
            for office.now in (0, 1, 3569, 3571, 3572):
                assert (await http.get(office.agent.url)).status_code == 200

        assert office.given == 2

    @pytest.mark.parametrize(
        ("expires_in", "at", "fetched"),
        [
            *((10, 7.9, 1), (10, 8.1, 2), ("10", 8.1, 2), (None, 1e9, 1)),
            *((0, 0.7, 1), (-5, 0.9, 2), ("soon", 1e9, 1), ("1e400", 1e9, 1)),
        ],
    )
    async def test_lives_as_long_as_the_endpoint_says(
        self, office: Office, expires_in: object, at: float, fetched: int
    ) -> None:
        office.expires_in = expires_in
        credentials = office.credentials()
        await credentials.authorization()
        office.now = at

        await credentials.authorization()

        assert office.given == fetched

    async def test_that_is_refused_is_renewed_once(self, office: Office) -> None:
        async with calling(office.credentials()) as http:
            await http.get(office.agent.url)
            office.valid, office.now = "revoked", 60
            answer = await http.post(office.agent.url, content=b"again")

        assert (answer.status_code, office.given) == (200, 2)
        assert [s.body for s in office.agent.seen] == ["", "again", "again"]

    async def test_that_is_refused_again_and_again_is_not_fetched_again_and_again(
        self, office: Office
    ) -> None:
        office.agent.answer = lambda _: Reply(401)
        async with calling(office.credentials()) as http:
            office.now = 60
            for _ in range(5):
                assert (await http.get(office.agent.url)).status_code == 401

        assert office.given == 1
        assert len(office.agent.seen) == 5

    async def test_is_renewed_whatever_length_the_refusal_has(
        self, office: Office
    ) -> None:
        credentials = office.credentials()
        async with calling(credentials) as http:
            await http.get(office.agent.url)
            office.agent.answer = lambda seen: (
                Reply(401, "no" * 1000, endless=True)
                if seen.headers["authorization"] == "Bearer t1"
                else Reply()
            )
            office.now = 60
            answer = await http.get(office.agent.url)

        assert answer.status_code == 200

    async def test_is_fetched_once_for_all_who_wait(self, office: Office) -> None:
        async with (
            calling(office.credentials()) as http,
            anyio.create_task_group() as group,
        ):
            for _ in range(30):
                group.start_soon(http.get, office.agent.url)

        assert office.given == 1

    async def test_is_renewed_once_for_all_who_were_refused(
        self, office: Office
    ) -> None:
        async with calling(office.credentials()) as http:
            await http.get(office.agent.url)
            office.valid, office.now = "revoked", 60
            async with anyio.create_task_group() as group:
                for _ in range(30):
                    group.start_soon(http.get, office.agent.url)

        assert office.given == 2

    async def test_is_fetched_by_the_next_when_the_first_gives_up(
        self, office: Office
    ) -> None:
        opened = threading.Event()
        give = office.give
        office.tokens.answer = lambda seen: give(seen)._replace(ends=opened)
        credentials = office.credentials()
        async with anyio.create_task_group() as group:
            group.start_soon(credentials.authorization)
            await anyio.to_thread.run_sync(
                wait_until, lambda: office.given, 5, "the first request"
            )
            group.cancel_scope.cancel()
        opened.set()

        assert await credentials.authorization() == "Bearer t2"

    async def test_goes_into_grpc_metadata_and_is_renewed_when_told(
        self, office: Office
    ) -> None:
        credentials = office.credentials()
        first = await credentials.metadata("127.0.0.1:50051")
        office.now = 60
        credentials.discard_token()
        second = await credentials.metadata("127.0.0.1:50051")

        assert first == {"authorization": "Bearer t1"}
        assert second == {"authorization": "Bearer t2"}

    async def test_is_not_shown_to_another_host_nor_fetched_for_it(
        self, office: Office
    ) -> None:
        with locked(address=ELSEWHERE) as stranger:
            async with calling(office.credentials()) as http:
                await http.get(stranger.url)

        assert office.given == 0
        assert "authorization" not in stranger.seen[0].headers

    async def test_is_hidden_where_an_agent_echoes_it(self, office: Office) -> None:
        office.tokens.answer = lambda _: token("secret-token")
        credentials = office.credentials()
        await credentials.authorization()

        assert redact("bad: secret-token") == "bad: [credential]"


class TestTheCard:
    async def test_says_where_tokens_are_and_which_scopes(self, office: Office) -> None:
        credentials = office.credentials(token_url=None)
        assert await credentials.authorization() is None

        credentials.use_card(asking(f"{office.tokens.url}/other", "read"))

        assert await credentials.authorization() == "Bearer t1"
        assert office.tokens.seen[0].target == "/other"
        assert parse_qs(office.tokens.seen[0].body)["scope"] == ["read"]

    @pytest.mark.parametrize(
        "token_url",
        ["http://evil.test/token", "127.0.0.1/token", "ftp://127.0.0.1/", ""],
    )
    async def test_may_not_have_the_secret_sent_to_another_host(
        self, office: Office, token_url: str
    ) -> None:
        credentials = office.credentials(token_url=None)

        credentials.use_card(asking(token_url))

        assert await credentials.authorization() is None
        assert credentials.trouble
        assert f"for a token of {token_url}" in credentials.trouble

    async def test_that_comes_again_keeps_the_token(self, office: Office) -> None:
        credentials = office.credentials()
        for _ in range(3):
            credentials.use_card(asking("http://evil.test/token", "read"))
            assert await credentials.authorization() == "Bearer t1"

        assert office.given == 1


class TestABadEndpoint:
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
    async def test_is_explained_without_a_word_of_its_own(
        self, office: Office, reply: Reply, why: str
    ) -> None:
        office.tokens.answer = lambda _: reply

        said = await refusal(office.credentials())

        assert said.startswith("OAuth: ")
        assert why in said
        assert f"{office.tokens.url}/token" in said
        assert "hunter2" not in said

    async def test_that_nobody_keeps_is_explained(self, office: Office) -> None:
        gone = "http://127.0.0.1:9/token?key=hunter2"

        said = await refusal(office.credentials(token_url=gone))

        assert said.startswith("OAuth: no connection")
        assert "hunter2" not in said

    async def test_that_never_answers_costs_a_fixed_time(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oauth, "DEADLINE_S", 0.2)
        over = threading.Event()
        office.tokens.answer = lambda _: Reply(ends=over)

        said = await refusal(office.credentials())

        over.set()
        assert "no response within 0.2 s" in said

    async def test_is_asked_once_for_all_who_wait(self, office: Office) -> None:
        office.tokens.answer = lambda _: Reply(500)
        credentials = office.credentials()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(refusal, credentials)

        assert len(office.tokens.seen) == 1

    async def test_is_asked_again_by_whoever_comes_later(self, office: Office) -> None:
        office.tokens.answer = lambda _: Reply(500)
        credentials = office.credentials()
        await refusal(credentials)
        office.tokens.answer, office.now = office.give, 1

        assert await credentials.authorization() == "Bearer t1"

    async def test_that_knows_forms_only_gets_one(self, office: Office) -> None:
        def give(seen: Seen) -> Reply:
            if "authorization" in seen.headers:
                return Reply(401, json.dumps({"error": "invalid_client"}))
            assert parse_qs(seen.body)["client_secret"] == [SECRET]
            return token("t1", expires_in=10)

        office.tokens.answer = give
        credentials = office.credentials()
        assert await credentials.authorization() == "Bearer t1"
        office.now = 9
        await credentials.authorization()

        assert len(office.tokens.seen) == 3

    async def test_makes_the_call_fail_with_its_reason(self, office: Office) -> None:
        office.tokens.answer = lambda _: Reply(500)
        async with calling(office.credentials()) as http:
            with pytest.raises(AgentUnreachable, match="OAuth: HTTP 500"):
                await http.get(office.agent.url)

        assert office.agent.seen == []

    async def test_leaves_no_secret_in_the_log(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        office.tokens.answer = lambda _: Reply(401)

        await refusal(office.credentials())

        assert caplog.text
        assert "hunter2" not in caplog.text
