"""A token endpoint and an agent that accepts its tokens, with a fake clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.credentials import Credentials
from host.clients.http_client import client
from host.config.agent_settings import AgentSettings, CredentialSettings
from host.errors import AgentUnreachable
from tests.support.reply_server import (
    ReceivedRequest,
    Reply,
    ReplyServer,
    reply_server,
    token_reply,
)

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


@asynccontextmanager
async def open_client(credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with client(httpx.Timeout(5), credentials.auth) as caller:
        yield caller


def create_card(token_url: str, *scopes: str) -> pb.AgentCard:
    flow = pb.ClientCredentialsOAuthFlow(token_url=token_url)
    scheme = pb.OAuth2SecurityScheme(flows=pb.OAuthFlows(client_credentials=flow))
    required = {"o": pb.StringList(list=scopes)}
    return pb.AgentCard(
        security_schemes={"o": pb.SecurityScheme(oauth2_security_scheme=scheme)},
        security_requirements=[pb.SecurityRequirement(schemes=required)],
    )


async def get_error(credentials: Credentials) -> str:
    with pytest.raises(AgentUnreachable) as refused:
        await credentials.authorization()
    return str(refused.value)
