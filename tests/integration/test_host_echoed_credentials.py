"""An agent repeats its credentials in everything that it sends. The host reveals none.

courtside.toml → host → agent of tests/support/echoing_agent.py → all that the host
shows and writes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.echoing_agent import TASK, EchoingAgent, encodings
from tests.support.harness import NO_TLS
from tests.support.reply_server import Reply, reply_server, token_reply
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

pytestmark = pytest.mark.integration

SECRET = 'hunter2/hunter2+%7e&"<é\\'
TOKEN = "hunter2/hunter2+%7e=="
SEND = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "Hi"}]}}
PAGES = (
    "/",
    "/agents",
    "/healthz",
    "/debug",
    "/debug.json",
    "/metrics",
    "/a2a/locked/.well-known/agent-card.json",
    "/a2a/locked/tasks?includeArtifacts=true",
    f"/a2a/locked/tasks/{TASK}",
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def run_host(folder: Path, agent: EchoingAgent, credentials: str) -> str:
    """Follow the agent until its task has ended. Return all that the host reveals."""
    with reply_server(agent) as server:
        toml = f"[agents.locked]\nurl = '{server.url}'\n[agents.locked.credentials]\n"
        with Stack(folder, (), toml=f"{toml}{credentials}\n") as stack:
            with httpx.Client(
                base_url=stack.url, verify=NO_TLS, trust_env=False, timeout=30
            ) as client:
                stack.wait_connected("locked")
                wait_until_sync(has_ended(client), "the end of the task", 30)
                revealed = send_messages(client) + read_pages(client)
                feed = client.get("/feed.ndjson?after=0").text
                for line in feed.splitlines():
                    revealed += client.get(f"/feed/{json.loads(line)['id']}").text
                with client.stream("GET", "/feed") as stream:
                    revealed += next(stream.iter_text())
            stack.stop()
            files = [p.read_bytes() for p in stack.data_dir.rglob("*") if p.is_file()]
            written = b"".join(files).decode("utf-8", "replace")
            return revealed + feed + written + stack.host.output()


def has_ended(client: httpx.Client) -> Callable[[], bool]:
    return lambda: '"status":"completed"' in client.get("/feed.ndjson?after=0").text


def send_messages(client: httpx.Client) -> str:
    """Return the responses to a message, to a stream, and to two failing calls."""
    send = client.post("/a2a/locked/message:send", json=SEND).text
    stream = client.post("/a2a/locked/message:stream", json=SEND).text
    cancel = client.post("/a2a/locked/tasks/unknown:cancel", json={}).text
    return send + stream + cancel


def read_pages(client: httpx.Client) -> str:
    return "".join(client.get(page).text for page in PAGES)


def assert_hidden(secret: str, revealed: str) -> None:
    assert revealed.count("[credential]") > 100
    for place in ("card", "skill", "part", "artifact", "context", "refusal"):
        assert place in revealed
    for text in encodings(secret):
        # In Base64, its first and last letters are part of other bytes, too.
        core = text[4:-4] if text == base64_of(text) else text
        assert core not in revealed
        assert json.dumps(core)[1:-1] not in revealed
    assert "hunter2" not in revealed


def base64_of(text: str) -> str | None:
    """Return a text again if it is Base64 of at least twelve letters."""
    try:
        standard = text.replace("-", "+").replace("_", "/")
        base64.b64decode(standard, validate=True)
    except ValueError:
        return None
    return text if len(text) >= 12 else None


@pytest.mark.parametrize(
    ("credentials", "secrets"),
    [
        ({"bearer": TOKEN}, [TOKEN]),
        ({"api_key": TOKEN, "api_key_in": "query", "api_key_name": "key"}, [TOKEN]),
        (
            {"username": "me", "password": SECRET},
            [SECRET, base64.b64encode(f"me:{SECRET}".encode()).decode()],
        ),
        ({"headers": {"X-Key": f"Bearer {TOKEN}"}}, [TOKEN]),
    ],
    ids=["bearer", "api-key", "basic", "header"],
)
def test_no_echoed_credential_is_revealed(
    tmp_path: Path, credentials: dict[str, Any], secrets: list[str]
) -> None:
    lines = [f"{name} = {to_toml(value)}" for name, value in credentials.items()]

    revealed = run_host(tmp_path, EchoingAgent(secrets), "\n".join(lines))

    for secret in secrets:
        assert_hidden(secret, revealed)


def to_toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{name} = {to_toml(one)}" for name, one in value.items())
        return f"{{ {pairs} }}"
    return json.dumps(value)


def test_no_echoed_oauth_token_is_revealed(tmp_path: Path) -> None:
    agent = EchoingAgent([TOKEN])

    def give(_: object) -> Reply:
        return token_reply(TOKEN, expires_in=3600)

    with reply_server(give) as tokens:
        credentials = (
            "client_id = 'me'\nclient_secret = 'another-secret'\n"
            f"token_url = '{tokens.url}/token'"
        )
        revealed = run_host(tmp_path, agent, credentials)

    assert_hidden(TOKEN, revealed)
    assert "another-secret" not in revealed
