"""The card of each stub, and its errors for bad requests.

Every test talks HTTP to a real `python -m agents`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import pytest

from agents import progress, resumable_stream
from agents.request_checks import MAX_BODY_BYTES
from agents.stubs import STUBS
from tests.support.a2a_client import Agent, agent_at, request, texts
from tests.support.stack import AGENTS, Stack


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run all stubs. A task takes less than a second."""
    with Stack(tmp_path_factory.mktemp("stubs"), with_host=False) as stack:
        yield stack


@pytest.fixture
async def carly(stubs: Stack) -> AsyncIterator[Agent]:
    async with agent_at(stubs.agent_url("carly")) as agent:
        yield agent


@pytest.mark.parametrize("name", AGENTS)
async def test_card_lists_interfaces_extensions_and_skills(
    stubs: Stack, name: str
) -> None:
    url = stubs.agent_url(name)
    async with agent_at(url) as agent:
        card = (await agent.http.get("/.well-known/agent-card.json")).json()
    assert card["name"] == name.capitalize()
    assert card["supportedInterfaces"] == [
        {"url": at, "protocolBinding": binding, "protocolVersion": version}
        for version in ("1.0", "0.3")
        for at, binding in ((f"{url}/", "JSONRPC"), (url, "HTTP+JSON"))
    ]
    assert card["capabilities"]["streaming"] is True
    extensions = [each["uri"] for each in card["capabilities"]["extensions"]]
    assert extensions == [progress.URI, resumable_stream.URI]
    assert [skill["id"] for skill in card["skills"]] == [
        skill.id for skill in STUBS[name].skills
    ]
    assert all(skill["examples"] and skill["tags"] for skill in card["skills"])


async def test_card_is_also_at_the_older_path(carly: Agent) -> None:
    new, old = [
        await carly.http.get(f"/.well-known/{name}.json")
        for name in ("agent-card", "agent")
    ]
    assert new.json() == old.json()


async def test_card_supports_conditional_requests(carly: Agent) -> None:
    path = "/.well-known/agent-card.json"
    card, head = await carly.http.get(path), await carly.http.head(path)
    assert card.headers["cache-control"] == "public, max-age=60"
    assert head.status_code == 200
    assert head.headers["etag"] == card.headers["etag"]
    assert head.content == b""
    modified_at = parsedate_to_datetime(card.headers["last-modified"])
    assert (
        timedelta() <= datetime.now(timezone.utc) - modified_at < timedelta(minutes=5)
    )
    later = format_datetime(modified_at + timedelta(hours=1), usegmt=True)
    earlier = format_datetime(modified_at - timedelta(seconds=1), usegmt=True)
    for headers, status in (
        ({"If-None-Match": card.headers["etag"]}, 304),
        ({"If-None-Match": f'"old", W/{card.headers["etag"]}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"old"'}, 200),
        ({"If-Modified-Since": card.headers["last-modified"]}, 304),
        ({"If-Modified-Since": later}, 304),
        ({"If-Modified-Since": earlier}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        # An ETag is more exact than a date, so it wins.
        ({"If-None-Match": '"old"', "If-Modified-Since": later}, 200),
    ):
        again = await carly.http.get(path, headers=headers)
        assert again.status_code == status, headers
        assert again.headers["etag"] == card.headers["etag"]
        assert bool(again.content) == (status == 200)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/nothing/here/at/all", 404),
        ("GET", "/.well-known/nothing.json", 404),
        ("PUT", "/", 405),
    ],
)
async def test_unknown_route_gets_a_json_error_with_the_card_path(
    carly: Agent, method: str, path: str, status: int
) -> None:
    answer = await carly.http.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == status
    assert f"carly has nothing at {method} {path}" in error["message"]
    assert "/.well-known/agent-card.json" in error["message"]


async def test_bad_requests_get_a2a_errors(
    carly: Agent,
) -> None:
    json_type = {"Content-Type": "application/json"}
    broken: dict[str, Any] = {"content": b"{", "headers": json_type}
    not_json = await carly.http.post("/message:send", **broken)
    assert not_json.status_code == 400
    rpc = (await carly.http.post("/", **broken)).json()
    assert rpc["error"]["code"] == -32700
    huge = b" " * (MAX_BODY_BYTES + 1)
    too_large = await carly.http.post("/", content=huge, headers=json_type)
    assert too_large.status_code == 413
    old = await carly.http.post(
        "/message:send", json=request("hi"), headers={"A2A-Version": ""}
    )
    assert old.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"
    assert "the request has no header A2A-Version" in old.json()["error"]["message"]
    old_rpc = await carly.http.post(
        "/",
        json={"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {}},
        headers={"A2A-Version": ""},
    )
    assert "no header A2A-Version" in old_rpc.json()["error"]["message"]
    unknown = await carly.http.get("/tasks/no-such-task")
    assert unknown.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"
    method = await carly.rpc("Dance", {})
    assert method["error"]["code"] == -32601


@pytest.mark.parametrize("name", AGENTS)
async def test_example_from_the_card_starts_its_skill(stubs: Stack, name: str) -> None:
    async with agent_at(stubs.agent_url(name)) as agent:
        card = (await agent.http.get("/.well-known/agent-card.json")).json()
        for skill in card["skills"]:
            by_id = await agent.stream(skill=skill["id"])
            by_words = await agent.stream(skill["examples"][0])
            # Branches run at the same time, so their order may differ.
            assert sorted(texts(by_words)) == sorted(texts(by_id))
            assert list(by_words[0]) == list(by_id[0])
