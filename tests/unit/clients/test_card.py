"""Tests of host/clients/card.py: it finds the agent's card and accepts no other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.clients.bindings.http_transport import HttpTransport
from host.clients.bindings.types import Interface
from host.clients.card import fetch_card, list_interfaces
from host.clients.credentials import Credentials
from host.config.agent_settings import AgentSettings, CredentialSettings
from host.errors import AgentUnreachable
from host.protocol.agent_card import parse_card
from tests.support.canned_server import CannedServer, http_response, serve

SECRET = "s3cret-of-the-host"
CARD = {
    "name": "Scenario",
    "supportedInterfaces": [
        {"url": "http://x/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
}
OLD_CARD = {
    "name": "Scenario",
    "url": "http://x/rpc",
    "preferredTransport": "JSONRPC",
    "protocolVersion": "0.3.0",
    "additionalInterfaces": [
        {"url": "http://x/rpc", "transport": "JSONRPC"},
        {"url": "x:50051", "transport": "GRPC"},
    ],
}
FOUND = http_response(json.dumps(CARD).encode())
MISSING = http_response(b"", status=404)


@asynccontextmanager
async def connected_to(url: str) -> AsyncIterator[HttpTransport]:
    settings = AgentSettings(url, credentials=CredentialSettings(bearer=SECRET))
    async with HttpTransport("scenario", Credentials(settings)) as transport:
        yield transport


async def paths_tried(
    agent: CannedServer, path: str = "", card: str | None = None
) -> list[str]:
    """Return the paths that were tried until the card was found."""
    async with serve(agent) as url, connected_to(url) as transport:
        assert (await fetch_card(transport, url + path, card)).name == "Scenario"
    return [head.split(" ")[1] for head in agent.heads]


async def cause(*answers: bytes) -> str:
    async with serve(CannedServer(*answers)) as url, connected_to(url) as transport:
        with pytest.raises(AgentUnreachable) as raised:
            await fetch_card(transport, url)
    return str(raised.value)


async def test_both_well_known_paths_are_tried_the_newer_first() -> None:
    new, old = "/.well-known/agent-card.json", "/.well-known/agent.json"
    assert await paths_tried(CannedServer(FOUND)) == [new]
    assert await paths_tried(CannedServer(MISSING, FOUND)) == [new, old]
    assert await paths_tried(CannedServer(MISSING, FOUND), "/a2a/") == [
        f"/a2a{new}",
        f"/a2a{old}",
    ]


async def test_explicit_card_path_is_the_only_one_tried() -> None:
    assert await paths_tried(CannedServer(FOUND), "/a2a", "/my/card") == ["/my/card"]
    assert await paths_tried(CannedServer(FOUND), "/a2a/card.json") == [
        "/a2a/card.json"
    ]
    agent = CannedServer(FOUND)
    async with serve(agent) as url, connected_to("http://127.0.0.1:1") as transport:
        assert (
            await fetch_card(transport, "http://127.0.0.1:1", f"{url}/c")
        ).name == "Scenario"


async def test_other_path_is_tried_only_after_404() -> None:
    error = await cause(http_response(b"", status=500), FOUND)
    assert error.startswith("HTTP 500 (scenario, the agent card at http://127.0.0.1")


async def test_redirect_is_followed_only_within_the_origin() -> None:
    near = b"HTTP/1.1 307 X\r\nLocation: /v2/card\r\nConnection: close\r\n\r\n"
    assert (await paths_tried(CannedServer(near, FOUND)))[-1] == "/v2/card"
    elsewhere = CannedServer(FOUND)
    async with serve(elsewhere) as other:
        far = near.replace(b"/v2/card", f"{other}/card".encode())
        assert f"HTTP 307: it redirects to {other}" in await cause(far)
    assert elsewhere.heads == []


async def test_redirect_loop_ends() -> None:
    loop = b"HTTP/1.1 302 X\r\nLocation: /loop\r\nConnection: close\r\n\r\n"
    assert "a redirect loop" in await cause(loop)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "bad card: "),
        (b"[]", "bad card: "),
        (b'{"skills": 7}', "bad card: "),
        (b'{"supportedInterfaces": [{"url": 7}]}', "bad card: "),
        (b" " * 2 * 1024 * 1024, "too large: over 1 MiB"),
    ],
)
async def test_invalid_card_raises_an_error_with_the_cause(
    body: bytes, words: str
) -> None:
    assert words in await cause(http_response(body))


async def test_slow_card_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.clients.card.CALL_S", 0.1)
    agent = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    agent.keeps_open = True
    async with serve(agent) as url, connected_to(url) as transport:
        with anyio.fail_after(2), pytest.raises(AgentUnreachable, match="timeout"):
            await fetch_card(transport, url)


def test_interfaces_keep_the_cards_order_in_both_versions() -> None:
    assert list_interfaces(parse_card(json.dumps(CARD).encode())) == [
        Interface("JSONRPC", "1.0", "http://x/")
    ]
    assert list_interfaces(parse_card(json.dumps(OLD_CARD).encode())) == [
        Interface("JSONRPC", "0.3", "http://x/rpc"),
        Interface("GRPC", "0.3", "x:50051"),
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", "1.0"),
        ("1", "1.0"),
        ("1.0.3", "1.0"),
        ("v1.1", "1.0"),
        ("0.3", "0.3"),
        ("0.3.0", "0.3"),
        ("0.2.5", "0.3"),
        ("2.0", "2.0"),
    ],
)
def test_version_is_read_by_major_and_minor(written: str, read: str) -> None:
    offer = {"url": "u", "protocolBinding": "grpc", "protocolVersion": written}
    card = parse_card(json.dumps({"supportedInterfaces": [offer]}).encode())
    assert list_interfaces(card) == [Interface("GRPC", read, "u")]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text("a1")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "url",
                    "security",
                    "securitySchemes",
                    "type",
                    "skills",
                    "in",
                    "additionalInterfaces",
                    "supportedInterfaces",
                    "capabilities",
                ]
            ),
            inner,
        ),
    ),
)


@given(JSON)
def test_any_json_is_a_card_or_raises_value_error(body: Any) -> None:
    with suppress(ValueError):
        list_interfaces(parse_card(json.dumps(body).encode()))
