"""What an agent says about itself, and what it says to mistakes.

Every test talks HTTP to a real `python -m agents`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from agents import progress
from agents.__main__ import CAST
from tests.a2a_client import Agent, agent_at, request, texts
from tests.harness import AGENTS, Stack


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All four agents, so fast that every task is over in less than a second."""
    with Stack(tmp_path_factory.mktemp("four"), with_host=False) as stack:
        yield stack


@pytest.fixture
async def carly(four: Stack) -> AsyncIterator[Agent]:
    async with agent_at(four.agent_url("carly")) as agent:
        yield agent


@pytest.mark.parametrize("name", AGENTS)
async def test_the_card_says_who_it_is_and_how_to_talk_to_it(
    four: Stack, name: str
) -> None:
    url = four.agent_url(name)
    async with agent_at(url) as agent:
        card = (await agent.http.get("/.well-known/agent-card.json")).json()
    assert card["name"] == name.capitalize()
    assert card["supportedInterfaces"] == [
        {"url": f"{url}/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
    ]
    assert card["capabilities"]["streaming"] is True
    assert [e["uri"] for e in card["capabilities"]["extensions"]] == [progress.URI]
    assert [skill["id"] for skill in card["skills"]] == [
        skill.id for skill in CAST[name].skills
    ]
    assert all(skill["examples"] for skill in card["skills"])


async def test_the_card_can_be_cached_and_asked_for_again_cheaply(carly: Agent) -> None:
    path = "/.well-known/agent-card.json"
    card, head = await carly.http.get(path), await carly.http.head(path)
    assert card.headers["cache-control"] == "public, max-age=60"
    assert head.status_code == 200
    assert head.headers["etag"] == card.headers["etag"]
    assert head.content == b""
    again = await carly.http.get(path, headers={"If-None-Match": card.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/nothing/here/at/all", 404),
        ("GET", "/.well-known/nothing.json", 404),
        ("GET", "/", 405),
    ],
)
async def test_what_is_not_there_is_answered_in_json_with_a_way_out(
    carly: Agent, method: str, path: str, status: int
) -> None:
    answer = await carly.http.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == status
    assert f"carly has nothing at {method} {path}" in error["message"]
    assert "/.well-known/agent-card.json" in error["message"]


async def test_mistakes_are_answered_with_the_errors_that_a2a_names(
    carly: Agent,
) -> None:
    not_json = await carly.http.post("/message:send", content=b"{")
    assert not_json.status_code == 400
    rpc = (await carly.http.post("/", content=b"{")).json()
    assert rpc["error"]["code"] == -32700
    old = await carly.http.post(
        "/message:send", json=request("hi"), headers={"A2A-Version": ""}
    )
    assert old.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"
    unknown = await carly.http.get("/tasks/no-such-task")
    assert unknown.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"
    method = await carly.rpc("Dance", {})
    assert method["error"]["code"] == -32601


@pytest.mark.parametrize("name", AGENTS)
async def test_an_example_phrase_from_the_card_starts_its_skill(
    four: Stack, name: str
) -> None:
    async with agent_at(four.agent_url(name)) as agent:
        card = (await agent.http.get("/.well-known/agent-card.json")).json()
        for skill in card["skills"]:
            by_id = await agent.stream(skill=skill["id"])
            by_words = await agent.stream(skill["examples"][0])
            assert texts(by_words) == texts(by_id)
