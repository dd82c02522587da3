"""The description of the HTTP API is complete, and its schema matches the feed.

/openapi.json and /feed.schema.json of a real host. fuzz/test_api.py tests the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from host.api.openapi.document import document
from host.api.openapi.feed_schema import schema
from host.log.memory_log import MemoryLog
from tests.support.doc_examples import examples_in, matches_output, run_examples
from tests.support.harness import ROOT
from tests.support.host_client import HostClient
from tests.support.http_requests import read_events
from tests.support.in_process_host import create_host
from tests.support.stack import Stack

Json = dict[str, Any]
# Some clients put a slash at the end of a card's URL.
ALIASES = {"/a2a/{agent}/": "/a2a/{agent}", "/static": "/static/{file}"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), ["carly"]) as running:
        yield running


def routes_of_host(folder: Path) -> set[tuple[str, str]]:
    """Return every method and path of the application."""
    host = create_host(folder, MemoryLog())
    pages = host._rest.router.default
    assert isinstance(pages, Starlette)
    found = {("GET", path) for path in host._streams}
    for route in [*host._rest.routes, *pages.routes]:
        assert isinstance(route, Route | Mount)
        methods = route.methods if isinstance(route, Route) else None
        path = re.sub(r":\w+}", "}", route.path)
        found |= {(m, ALIASES.get(path, path)) for m in methods or {"GET"}}
    return {(method, path) for method, path in found if method != "HEAD"}


def described_routes() -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
    }


def test_every_route_is_described_and_no_other(tmp_path: Path) -> None:
    assert described_routes() == routes_of_host(tmp_path)


def test_page_has_every_path() -> None:
    text = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")

    assert [path for path in document()["paths"] if f"`{path}`" not in text] == []


def test_page_shows_the_real_output_of_its_commands(stack: Stack) -> None:
    examples = examples_in(ROOT / "docs/http-api.md")

    addresses = {"http://localhost:8000": stack.url}
    printed = run_examples(examples, addresses, stack.folder)

    assert examples
    for example, output in zip(examples, printed, strict=True):
        assert matches_output(example, output), (
            f"{example.command}printed: {output[:300]}"
        )


async def test_description_is_served(host: HostClient) -> None:
    assert await host.get("/openapi.json") == json.loads(json.dumps(document()))


async def test_feed_schema_is_served(host: HostClient) -> None:
    answer = await host.http.get("/feed.schema.json")

    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json() == schema()


async def test_every_event_matches_the_feed_schema(
    host: HostClient, stack: Stack
) -> None:
    task_id = await host.start("carly", "Find a slot for a game tomorrow")
    await host.row_with(task_id, "completed")
    valid = Draft202012Validator(schema())

    history = await host.history(after=0)
    seen = await read_events(f"{stack.url}/feed", until=lambda seen: len(seen) > 0)

    assert {"agent", "task", "artifact"} <= {event["kind"] for event in history}
    for event in history:
        valid.validate(event)
    assert seen[0].event == "snapshot"
    assert seen[0].data["tasks"]
    valid.validate(seen[0].data)


async def test_streams_have_the_described_type(
    host: HostClient,
) -> None:
    for path in ("/feed", "/tasks/stream"):
        answers = document()["paths"][path]["get"]["responses"]
        async with host.http.stream("GET", path) as answer:
            assert answer.headers["content-type"] in answers["200"]["content"]
        refused = await host.http.get(path, params={"after": "x"})
        assert str(refused.status_code) in answers


class TestSchemathesisFindings:
    @pytest.mark.parametrize(
        ("path", "methods"),
        [
            ("/agents", {"GET", "HEAD", "POST"}),
            ("/agents/0", {"GET", "HEAD", "DELETE"}),
            ("/agents/0:retry", {"POST"}),
            ("/a2a/carly/tasks/0:cancel", {"POST"}),
            ("/a2a/carly/tasks/0:subscribe", {"GET", "HEAD", "POST"}),
        ],
    )
    async def test_wrong_method_gets_every_allowed_method(
        self, host: HostClient, path: str, methods: set[str]
    ) -> None:
        answer = await host.http.options(path)

        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == methods

    async def test_card_without_skills_has_an_empty_list(
        self, host: HostClient
    ) -> None:
        """A2A requires the field, and clients may read its length."""
        card = await host.get("/.well-known/agent-card.json")

        assert card["skills"] == []

    @pytest.mark.parametrize("path", ["tasks", "tasks/t1"])
    async def test_negative_history_length_is_refused(
        self, host: HostClient, path: str
    ) -> None:
        answer = await host.http.get(f"/a2a/carly/{path}?historyLength=-1")

        assert answer.status_code == 400
        assert "historyLength -1" in answer.json()["error"]["message"]
