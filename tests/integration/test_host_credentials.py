"""The host follows agents that need credentials, and reveals none of them.

courtside.toml and variables → host → agents of tests/support/reply_server.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.harness import NO_TLS
from tests.support.reply_server import (
    OTHER_ADDRESS,
    ReceivedRequest,
    Reply,
    ReplyFunction,
    ReplyServer,
    reply_server,
    token_reply,
)
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

pytestmark = pytest.mark.integration

SECRET = "hunter2-hunter2"
CARD = "/.well-known/agent-card.json"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach 127.0.0.2 without a proxy of the environment."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def card(url: str, scheme: Mapping[str, Any]) -> str:
    """Return a card with one interface, at `url`."""
    interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return json.dumps(
        {
            "name": "Locked",
            "description": "Answers requests with the key.",
            "version": "1.0.0",
            "supportedInterfaces": [interface],
            "capabilities": {"streaming": True},
            "skills": [],
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "securitySchemes": {"lock": scheme},
            "securityRequirements": [{"schemes": {"lock": {"list": []}}}],
        }
    )


def agent_requiring(key: str, where: str, scheme: Mapping[str, Any]) -> ReplyFunction:
    """Return an agent without tasks that requires `key`. Its errors quote the
    request."""

    def answer(seen: ReceivedRequest) -> Reply:
        if seen.target.startswith("/.well-known/"):
            url = f"http://{seen.headers['host']}/a2a"
            return Reply(
                200 if seen.target.split("?")[0] == CARD else 404, card(url, scheme)
            )
        value = seen.target if where == "query" else seen.headers.get(where, "")
        if key not in value:
            return Reply(401, f"not {seen.headers} {seen.target}")
        if not seen.body:
            return Reply()
        call = json.loads(seen.body)
        return Reply(
            body=json.dumps(
                {"jsonrpc": "2.0", "id": call["id"]}
                | (
                    {"result": {"tasks": [], "nextPageToken": ""}}
                    if call["method"] == "ListTasks"
                    else {
                        "error": {"code": -32001, "message": f"no task {seen.headers}"}
                    }
                )
            ),
            headers={"content-type": "application/json"},
        )

    return answer


def http(scheme: str) -> dict[str, Any]:
    return {"httpAuthSecurityScheme": {"scheme": scheme}}


def api_key(location: str) -> dict[str, Any]:
    return {"apiKeySecurityScheme": {"location": location, "name": "Key"}}


@contextmanager
def following(folder: Path, agent: ReplyServer, toml: str) -> Iterator[Stack]:
    """Run the host with one agent. `toml` has its credentials."""
    settings = f"[agents.locked]\nurl = '{agent.url}'\n[agents.locked.credentials]\n"
    with Stack(folder, (), toml=f"{settings}{toml}\n") as stack:
        yield stack


def everything_the_host_reveals(stack: Stack) -> str:
    """Return its output, its data folder and what it serves."""
    with httpx.Client(base_url=stack.url, verify=NO_TLS, trust_env=False) as client:
        paths = ("/agents", "/healthz", "/", "/feed.ndjson?after=0")
        pages = [client.get(path).raise_for_status().text for path in paths]
        with client.stream("GET", "/feed") as feed:
            pages.append(next(feed.iter_text()))
    files = [p.read_bytes() for p in stack.data_dir.rglob("*") if p.is_file()]
    return "".join(pages) + stack.host.output() + repr(files)


@pytest.mark.parametrize(
    ("toml", "scheme", "where", "key"),
    [
        (f"bearer = '{SECRET}'", http("Bearer"), "authorization", f"Bearer {SECRET}"),
        (
            f"username = 'me'\npassword = '{SECRET}'",
            http("basic"),
            "authorization",
            "Basic bWU6aHVudGVyMi1odW50ZXIy",
        ),
        (f"api_key = '{SECRET}'", api_key("header"), "key", SECRET),
        (f"api_key = '{SECRET}'", api_key("query"), "query", f"?Key={SECRET}"),
        (f"api_key = '{SECRET}'", api_key("cookie"), "cookie", f"Key={SECRET}"),
        (
            f"headers = {{ X-Key = '{SECRET}' }}",
            {"mtlsSecurityScheme": {}},
            "x-key",
            SECRET,
        ),
    ],
)
def test_agent_with_credentials_is_followed_and_they_stay_secret(
    tmp_path: Path, toml: str, scheme: dict[str, Any], where: str, key: str
) -> None:
    with (
        reply_server(agent_requiring(key, where, scheme)) as agent,
        following(tmp_path, agent, toml) as stack,
    ):
        stack.wait_connected("locked")
        revealed = everything_the_host_reveals(stack)

    assert key in str(agent.requests)
    assert SECRET not in revealed
    assert key.split()[-1] not in revealed


def test_oauth_agent_is_followed_across_a_revoked_token(tmp_path: Path) -> None:
    given = 0

    def give(_: ReceivedRequest) -> Reply:
        nonlocal given
        given += 1
        return token_reply(f"{SECRET}-{given}", expires_in=3600)

    def check(seen: ReceivedRequest) -> Reply:
        number = given if given > revoked else "none"
        key = f"Bearer {SECRET}-{number}"
        return agent_requiring(key, "authorization", http("Bearer"))(seen)

    revoked = 0
    with (
        reply_server(give) as tokens,
        reply_server(check) as agent,
        following(
            tmp_path,
            agent,
            f"client_id = 'me'\nclient_secret = '{SECRET}'\n"
            f"token_url = '{tokens.url}/token'",
        ) as stack,
    ):
        stack.wait_connected("locked")
        revoked = given
        wait_until_sync(lambda: given > revoked, "another token", 30)
        stack.wait_connected("locked")
        revealed = everything_the_host_reveals(stack)

    assert f"{SECRET}-{given}" in str(agent.requests)
    assert SECRET not in revealed


def test_refused_token_is_reported_without_its_value(tmp_path: Path) -> None:
    right = agent_requiring("right-key", "authorization", http("Bearer"))
    with (
        reply_server(right) as agent,
        following(tmp_path, agent, f"bearer = '{SECRET}'") as stack,
    ):
        wait_until_sync(
            lambda: "401" in everything_the_host_reveals(stack),
            "the host to report a 401",
            30,
        )
        revealed = everything_the_host_reveals(stack)

    assert SECRET in str(agent.requests)
    assert SECRET not in revealed


def test_card_cannot_send_the_token_to_another_host(tmp_path: Path) -> None:
    with reply_server(address=OTHER_ADDRESS) as stranger:
        away = f"{stranger.url}/a2a"
        with (
            reply_server(lambda _: Reply(body=card(away, http("Bearer")))) as agent,
            following(tmp_path, agent, f"bearer = '{SECRET}'") as stack,
        ):
            wait_until_sync(
                lambda: stranger.requests, "the host to try the interface", 30
            )
            revealed = everything_the_host_reveals(stack)

    assert SECRET in str(agent.requests)
    assert SECRET not in str(stranger.requests)
    assert SECRET not in revealed


@pytest.mark.parametrize("status", [301, 307, 308])
def test_redirect_cannot_send_the_key_to_another_origin(
    tmp_path: Path, status: int
) -> None:
    with reply_server(address=OTHER_ADDRESS) as stranger:

        def answer(_: ReceivedRequest) -> Reply:
            return Reply(status, headers={"location": stranger.url})

        with (
            reply_server(answer) as agent,
            following(tmp_path, agent, f"api_key = '{SECRET}'") as stack,
        ):
            wait_until_sync(
                lambda: len(agent.requests) > 2, "the host to try again", 30
            )
            revealed = everything_the_host_reveals(stack)

    assert SECRET in str(agent.requests)
    assert stranger.requests == []
    assert SECRET not in revealed
