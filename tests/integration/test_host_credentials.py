"""Agents behind locks, followed by the real host: it gets in, and nobody learns how.

courtside.toml and variables → host → agents of tests/support/locked_agent.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.harness import NO_TLS, Stack, wait_until
from tests.support.locked_agent import (
    ELSEWHERE,
    Answer,
    Locked,
    Reply,
    Seen,
    locked,
    token,
)

pytestmark = pytest.mark.integration

SECRET = "hunter2-hunter2"
CARD = "/.well-known/agent-card.json"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine would stand before 127.0.0.2."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def card(url: str, scheme: Mapping[str, Any]) -> str:
    """A card whose one interface is at `url`."""
    interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return json.dumps(
        {
            "name": "Locked",
            "description": "Answers whoever has the key.",
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


def opened_by(key: str, where: str, scheme: Mapping[str, Any]) -> Answer:
    """An agent without tasks that answers calls which hold `key`, and tells all that
    it was shown to whoever has another."""

    def answer(seen: Seen) -> Reply:
        if seen.target.startswith("/.well-known/"):
            url = f"http://{seen.headers['host']}/a2a"
            return Reply(
                200 if seen.target.split("?")[0] == CARD else 404, card(url, scheme)
            )
        shown = seen.target if where == "query" else seen.headers.get(where, "")
        if key not in shown:
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
def following(folder: Path, agent: Locked, toml: str) -> Iterator[Stack]:
    """The host with one agent, whose credentials `toml` holds."""
    settings = f"[agents.locked]\nurl = '{agent.url}'\n[agents.locked.credentials]\n"
    with Stack(folder, (), toml=f"{settings}{toml}\n") as stack:
        yield stack


def what_the_host_tells(stack: Stack) -> str:
    """All that leaves it: its output, its data folder and what it serves."""
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
            f"headers = {{ X-Door = '{SECRET}' }}",
            {"mtlsSecurityScheme": {}},
            "x-door",
            SECRET,
        ),
    ],
)
def test_a_locked_agent_is_followed_and_nobody_learns_its_key(
    tmp_path: Path, toml: str, scheme: dict[str, Any], where: str, key: str
) -> None:
    with (
        locked(opened_by(key, where, scheme)) as agent,
        following(tmp_path, agent, toml) as stack,
    ):
        stack.wait_connected("locked")
        told = what_the_host_tells(stack)

    assert key in str(agent.seen)
    assert SECRET not in told
    assert key.split()[-1] not in told


def test_an_agent_behind_oauth_is_followed_over_a_revoked_token(tmp_path: Path) -> None:
    given = 0

    def give(_: Seen) -> Reply:
        nonlocal given
        given += 1
        return token(f"{SECRET}-{given}", expires_in=3600)

    def check(seen: Seen) -> Reply:
        number = given if given > revoked else "none"
        key = f"Bearer {SECRET}-{number}"
        return opened_by(key, "authorization", http("Bearer"))(seen)

    revoked = 0
    with (
        locked(give) as tokens,
        locked(check) as agent,
        following(
            tmp_path,
            agent,
            f"client_id = 'me'\nclient_secret = '{SECRET}'\n"
            f"token_url = '{tokens.url}/token'",
        ) as stack,
    ):
        stack.wait_connected("locked")
        revoked = given
        wait_until(lambda: given > revoked, 10, "another token")
        stack.wait_connected("locked")
        told = what_the_host_tells(stack)

    assert f"{SECRET}-{given}" in str(agent.seen)
    assert SECRET not in told


def test_a_wrong_key_is_told_by_its_place_not_its_value(tmp_path: Path) -> None:
    right = opened_by("right-key", "authorization", http("Bearer"))
    with (
        locked(right) as agent,
        following(tmp_path, agent, f"bearer = '{SECRET}'") as stack,
    ):
        wait_until(
            lambda: "401" in what_the_host_tells(stack), 10, "the host to tell of a 401"
        )
        told = what_the_host_tells(stack)

    assert SECRET in str(agent.seen)
    assert SECRET not in told


def test_a_card_cannot_send_the_key_to_another_host(tmp_path: Path) -> None:
    with locked(address=ELSEWHERE) as stranger:
        away = f"{stranger.url}/a2a"
        with (
            locked(lambda _: Reply(body=card(away, http("Bearer")))) as agent,
            following(tmp_path, agent, f"bearer = '{SECRET}'") as stack,
        ):
            wait_until(lambda: stranger.seen, 10, "the host to try the interface")
            told = what_the_host_tells(stack)

    assert SECRET in str(agent.seen)
    assert SECRET not in str(stranger.seen)
    assert SECRET not in told


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_cannot_send_the_key_to_another_origin(
    tmp_path: Path, status: int
) -> None:
    with locked(address=ELSEWHERE) as stranger:

        def answer(_: Seen) -> Reply:
            return Reply(status, headers={"location": stranger.url})

        with (
            locked(answer) as agent,
            following(tmp_path, agent, f"api_key = '{SECRET}'") as stack,
        ):
            wait_until(lambda: len(agent.seen) > 2, 10, "the host to try again")
            told = what_the_host_tells(stack)

    assert SECRET in str(agent.seen)
    assert stranger.seen == []
    assert SECRET not in told
