"""Access rules of a real host with tokens, on all its endpoints.

A host with a token trusts this machine no more than any other.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from httpx_sse import aconnect_sse

from host import TaskManager
from host.task_manager.errors import HostUnreachable
from tests.support.harness import ROOT, Process, free_port
from tests.support.host_client import client
from tests.support.stack import Stack

TOKEN, READ_TOKEN = "operator-0123456789", "reader-0123456789"


OPERATOR = {"authorization": f"Bearer {TOKEN}"}


READER = {"authorization": f"Bearer {READ_TOKEN}"}


MESSAGE = {
    "message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}
}


COMMANDS = [
    ("POST", "/a2a/carly/message:send"),
    ("POST", "/a2a/carly/message:stream"),
    ("POST", "/a2a/carly"),
    ("POST", "/a2a/host/message:send"),
    ("POST", "/a2a/carly/tasks/t:cancel"),
    ("POST", "/agents"),
    ("POST", "/agents:reload"),
    ("POST", "/agents/carly:retry"),
    ("DELETE", "/agents/carly"),
]


READS = [
    "/",
    "/board",
    "/feed",
    "/tasks/stream",
    "/feed.ndjson?limit=1",
    "/feed/1",
    "/agents",
    "/agents/carly",
    "/a2a/carly/tasks",
    "/a2a/carly/tasks/t:subscribe",
    "/a2a/carly/.well-known/agent-card.json",
    "/.well-known/agent-card.json",
    "/metrics",
    "/debug",
    "/debug.json",
    "/openapi.json",
    "/nowhere",
    "/a2a",
    "//feed",
    "/./feed",
    "/login/../feed",
    "/healthz/",
    "/healthz/../feed",
    "/%66eed",
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a host that listens on all addresses and trusts a proxy on this machine."""
    settings = f"""
        host = "0.0.0.0"
        read_token = "{READ_TOKEN}"
        trusted_proxies = ["127.0.0.1"]
        allowed_hosts = ["agents.example"]
    """
    folder = tmp_path_factory.mktemp("stack")
    with Stack(
        folder, ["carly"], log="memory", host_toml=settings, token=TOKEN
    ) as running:
        yield running


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with client(stack.url) as plain:
        yield plain


class TestWithoutToken:
    @pytest.mark.parametrize("path", READS)
    async def test_cannot_read(self, http: httpx.AsyncClient, path: str) -> None:
        answer = await http.send(_raw_request(http, "GET", path))

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")

    async def test_cannot_reach_other_paths_through_static_files(
        self, http: httpx.AsyncClient
    ) -> None:
        answer = await http.send(_raw_request(http, "GET", "/static/../feed"))

        assert answer.status_code == 404

    @pytest.mark.parametrize(("method", "path"), COMMANDS)
    async def test_cannot_send_commands(
        self, http: httpx.AsyncClient, method: str, path: str
    ) -> None:
        assert (await http.request(method, path, json=MESSAGE)).status_code == 401

    async def test_sees_only_the_health_of_the_host(
        self, http: httpx.AsyncClient
    ) -> None:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/readyz")).json() == {"status": "ready"}


class TestReadToken:
    @pytest.mark.parametrize("path", ["/", "/agents", "/feed.ndjson?limit=1"])
    async def test_can_read(self, http: httpx.AsyncClient, path: str) -> None:
        assert (await http.get(path, headers=READER)).status_code == 200

    @pytest.mark.parametrize(("method", "path"), COMMANDS)
    async def test_cannot_send_commands(
        self, http: httpx.AsyncClient, method: str, path: str
    ) -> None:
        answer = await http.request(method, path, json=MESSAGE, headers=READER)

        assert answer.status_code == 403
        assert "may only read" in answer.text

    @pytest.mark.parametrize("path", ["/feed", "/tasks/stream"])
    async def test_can_follow_the_feed(
        self, http: httpx.AsyncClient, path: str
    ) -> None:
        query = {"after": "0"}
        async with aconnect_sse(
            http, "GET", path, params=query, headers=READER
        ) as source:
            assert source.response.status_code == 200
            assert source.response.headers["x-content-type-options"] == "nosniff"


class TestOperatorToken:
    async def test_can_start_a_task_and_follow_it(
        self, http: httpx.AsyncClient
    ) -> None:
        send = "/a2a/carly/message:send"
        answer = await http.post(send, json=MESSAGE, headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        task_id = answer.json()["task"]["id"]

        query = {"after": "0", "task": task_id}
        async with aconnect_sse(
            http, "GET", "/feed", params=query, headers=OPERATOR
        ) as source:
            async for got in source.aiter_sse():
                if got.data and got.json().get("status") == "completed":
                    break

    async def test_can_read_the_security_scheme_on_the_card(
        self, http: httpx.AsyncClient
    ) -> None:
        path = "/a2a/carly/.well-known/agent-card.json"

        card = (await http.get(path, headers=OPERATOR)).json()

        [(name, scheme)] = card["securitySchemes"].items()
        assert scheme["httpAuthSecurityScheme"]["scheme"] == "Bearer"
        assert list(card["securityRequirements"][0]["schemes"]) == [name]

    async def test_gets_the_address_from_a_trusted_proxy(
        self, http: httpx.AsyncClient
    ) -> None:
        path = "/a2a/carly/.well-known/agent-card.json"
        proxied = {
            "x-forwarded-proto": "https",
            "x-forwarded-host": "agents.example",
            "x-forwarded-prefix": "/team/courtside",
        }

        card = (await http.get(path, headers=OPERATOR | proxied)).json()
        signed_in = await http.post("/login", data={"token": TOKEN}, headers=proxied)

        assert {i["url"] for i in card["supportedInterfaces"]} == {
            "https://agents.example/team/courtside/a2a/carly"
        }
        cookie = signed_in.headers["set-cookie"]
        assert {"Secure", "Path=/team/courtside/"} <= set(cookie.split("; "))

    async def test_cannot_add_agents_in_a_private_network(
        self, http: httpx.AsyncClient
    ) -> None:
        for url in ("http://127.0.0.1:1", "http://10.0.0.1", "http://localhost:8001"):
            answer = await http.post("/agents", json={"url": url}, headers=OPERATOR)

            assert answer.status_code == 400
            assert "private_agents" in answer.json()["error"]["message"]


async def test_task_manager_sends_its_token(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COURTSIDE_TOKEN", raising=False)
    with pytest.raises(HostUnreachable, match="set COURTSIDE_TOKEN"):
        async with TaskManager(host=stack.url):
            pass

    monkeypatch.setenv("COURTSIDE_TOKEN", TOKEN)
    async with TaskManager(host=stack.url) as manager:
        await manager.start_task("carly")
        updates = [update async for update in manager.stream_all()]

    assert updates[-1]["status"] == "completed"


async def test_tokens_and_sessions_are_not_in_feed_or_log(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    answer = await http.post("/login", data={"token": TOKEN})
    session = answer.cookies[f"courtside_{stack.url.rpartition(':')[2]}"]

    feed = await http.get("/feed.ndjson?after=0")

    assert feed.status_code == 200
    for secret in (TOKEN, READ_TOKEN, session):
        assert secret not in stack.host.output() + feed.text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--host=0.0.0.0"], ["no token", "--token file:courtside.token"]),
        (["--tls-cert=no.pem", "--tls-key=no.pem"], ["no.pem cannot be used"]),
    ],
)
def test_insecure_start_is_refused(
    tmp_path: Path, flags: list[str], words: list[str]
) -> None:
    argv = [
        sys.executable,
        "-m",
        "host",
        f"--port={free_port()}",
        "--log=memory",
        f"--config={_empty(tmp_path)}",
        *flags,
    ]
    host = Process("host", argv, folder=tmp_path, cwd=ROOT)
    host.start()

    assert host.wait_end(30) == 1
    assert "Traceback" not in host.output()
    for word in words:
        assert word in host.output()


def _empty(folder: Path) -> Path:
    path = folder / "courtside.toml"
    path.write_text("", "utf-8")
    return path


def _raw_request(http: httpx.AsyncClient, method: str, path: str) -> httpx.Request:
    """Build a request whose dots and slashes httpx does not normalize."""
    request = http.build_request(method, "/")
    host, _, query = path.partition("?")
    raw = host.encode() + (b"?" + query.encode() if query else b"")
    request.extensions["target"] = raw
    return request
