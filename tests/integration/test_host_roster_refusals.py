"""Requests that would change the agents of a host, and that it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.harness import free_port
from tests.support.host_client import HostClient, host_at
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a host that follows Carly."""
    with Stack(tmp_path_factory.mktemp("stack"), ["carly"]) as running:
        yield running


@pytest.fixture
async def host(stack: Stack) -> AsyncIterator[HostClient]:
    async with host_at(stack.url) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "url"),
        ({"url": 7}, "url"),
        ({"url": "carly.example"}, "url"),
        ({"url": "ftp://carly.example"}, "url"),
        ({"url": "http://user:secret@carly.example"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "link-local"),
        ({"url": "http://[fe80::1]:80"}, "link-local"),
        ({"url": "http://x.example", "name": "host"}, "name"),
        ({"url": "http://x.example", "name": "No Name"}, "name"),
        ({"url": "http://x.example", "card": "card.json"}, "card"),
        ({"url": "http://x.example", "bearer": "secret"}, "bearer"),
    ],
)
async def test_unusable_value_is_400_and_named(
    host: HostClient, body: dict[str, Any], names: str
) -> None:
    answer = await host.http.post("/agents", json=body)

    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400
    assert names in error["message"]
    assert "secret" not in error["message"].replace(names, "")
    assert list((await host.get("/healthz"))["agents"]) == ["carly"]


@pytest.mark.parametrize("again", ["name", "url"])
async def test_existing_name_or_url_is_409(
    stack: Stack, host: HostClient, again: str
) -> None:
    other = {"url": f"http://127.0.0.1:{free_port()}", "name": "carly"}
    same = {"url": stack.agent_url("carly"), "name": "another"}
    answer = await host.http.post("/agents", json=other if again == "name" else same)

    assert answer.status_code == 409
    assert answer.json()["error"]["details"][0]["reason"] == "AGENT_EXISTS"
    assert stack.agent_url("carly") in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/agents"), ("DELETE", "/agents/carly"), ("POST", "/agents:reload")],
)
async def test_roster_request_from_another_origin_is_refused(
    host: HostClient, method: str, path: str
) -> None:
    origin = {"origin": "https://hostile.example"}
    answer = await host.http.request(
        method, path, json={"url": "http://x.example"}, headers=origin
    )

    assert answer.status_code == 403
    assert list((await host.get("/healthz"))["agents"]) == ["carly"]


async def test_roster_request_from_a_form_is_refused(host: HostClient) -> None:
    answer = await host.http.post("/agents", data={"url": "http://x.example"})

    assert answer.status_code == 415
