"""Bad input at the gateway gets an A2A error if there is one, else 4xx with a text.

The agent gets nothing, the feed gets nothing, and the domain says whose error it is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.a2a_client import agent_at
from tests.support.a2a_client import request as message
from tests.support.harness import free_port
from tests.support.host_client import HostClient, Json, host_at
from tests.support.stack import Stack

RPC = "/a2a/carly"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    gone = {"gone": f"http://127.0.0.1:{free_port()}"}
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly"], log="memory", extra_agents=gone) as running:
        yield running


@pytest.fixture
async def host(stack: Stack) -> AsyncIterator[HostClient]:
    """Fail if the feed or the agent got anything, or if the host logged a traceback."""

    async def events_and_tasks() -> tuple[list[Json], int]:
        events = await client.history(after=0, agent="carly")
        async with agent_at(stack.agent_url("carly")) as carly:
            return events, len(await carly.tasks())

    async with host_at(stack.url) as client:
        before = await events_and_tasks()
        yield client
        events, tasks = await events_and_tasks()
        assert (events[len(before[0]) :], tasks) == ([], before[1])
        assert "Traceback" not in stack.host.output()


@pytest.fixture(scope="module")
async def ended_task(stack: Stack) -> str:
    """Return the id of a task that has ended."""
    async with host_at(stack.url) as host:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")
    return task_id


def rpc(method: str, params: Any) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def error_in(body: Json) -> tuple[int, str, str]:
    """Return code, reason and domain. Every error has a message."""
    error = body["error"]
    assert len(error["message"]) > 10
    (info, *_) = error.get("details") or error["data"]
    return error["code"], info["reason"], info["domain"]


CALLS: list[tuple[str, Json, int, str]] = [
    ("SendMessage", {}, -32602, "INVALID_PARAMS"),
    ("SendMessage", {"message": {"parts": []}}, -32602, "INVALID_PARAMS"),
    ("SendMessage", {"message": 7}, -32602, "INVALID_PARAMS"),
    ("SendStreamingMessage", {"message": {}}, -32602, "INVALID_PARAMS"),
    ("SendMessage", message(metadata=nested(40)), -32602, "INVALID_PARAMS"),
    ("SendStreamingMessage", message(metadata=nested(40)), -32602, "INVALID_PARAMS"),
    ("SendMessage", message(taskId="nothing"), -32001, "TASK_NOT_FOUND"),
    ("GetTask", {}, -32602, "INVALID_PARAMS"),
    ("GetTask", {"id": "nothing"}, -32001, "TASK_NOT_FOUND"),
    ("CancelTask", {"id": "nothing"}, -32001, "TASK_NOT_FOUND"),
    ("SubscribeToTask", {"id": "nothing"}, -32001, "TASK_NOT_FOUND"),
    ("ListTasks", {"pageSize": 1000}, -32602, "INVALID_PARAMS"),
    ("ListTasks", {"status": "BUSY"}, -32602, "INVALID_PARAMS"),
    ("ListTasks", {"pageToken": "x"}, -32602, "INVALID_PARAMS"),
    ("ListTasks", {"statusTimestampAfter": "noon"}, -32602, "INVALID_PARAMS"),
    ("Nothing", {}, -32601, "METHOD_NOT_FOUND"),
]


@pytest.mark.parametrize(("method", "params", "code", "reason"), CALLS)
async def test_bad_call_gets_an_a2a_error(
    host: HostClient, method: str, params: Json, code: int, reason: str
) -> None:
    answer = await host.http.post(RPC, json=rpc(method, params))

    assert answer.status_code == 200
    assert error_in(answer.json()) == (code, reason, "a2a-protocol.org")


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("tasks/nothing", 404, "TASK_NOT_FOUND"),
        ("tasks/nothing:subscribe", 404, "TASK_NOT_FOUND"),
        ("tasks/no%2Fthing%3Aat%20all", 404, "TASK_NOT_FOUND"),
        ("tasks/no%0Athing%0A", 404, "TASK_NOT_FOUND"),
        ("tasks/no%2Fthing:subscribe", 404, "TASK_NOT_FOUND"),
        ("tasks?pageSize=0", 400, "INVALID_PARAMS"),
        ("tasks?pageSize=many", 400, "INVALID_PARAMS"),
        ("tasks?status=BUSY", 400, "INVALID_PARAMS"),
        ("tasks/nothing?historyLength=x", 400, "INVALID_PARAMS"),
    ],
)
async def test_bad_get_gets_an_a2a_error(
    host: HostClient, path: str, status: int, reason: str
) -> None:
    answer = await host.http.get(f"{RPC}/{path}")

    assert answer.status_code == status
    assert error_in(answer.json()) == (status, reason, "a2a-protocol.org")


class TestEndedTask:
    async def test_accepts_no_reply(self, host: HostClient, ended_task: str) -> None:
        body = message("And now?", taskId=ended_task)
        for path in ("message:send", "message:stream"):
            answer = await host.http.post(f"{RPC}/{path}", json=body)
            assert error_in(answer.json())[:2] == (400, "UNSUPPORTED_OPERATION")
        answer = await host.http.post(RPC, json=rpc("SendMessage", body))
        assert error_in(answer.json())[:2] == (-32004, "UNSUPPORTED_OPERATION")

    async def test_cannot_be_cancelled(self, host: HostClient, ended_task: str) -> None:
        answer = await host.http.post(f"{RPC}/tasks/{ended_task}:cancel")

        assert error_in(answer.json())[:2] == (400, "TASK_NOT_CANCELABLE")
        assert ended_task in answer.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 19_000, -32700),
        (b'{"jsonrpc": ' + b"2" * 641 + b"}", -32700),
        (b'{"jsonrpc": NaN}', -32700),
        (b"[]", -32700),
        (b"{}", -32600),
        (b'{"jsonrpc": "1.0"}', -32600),
        (b'{"jsonrpc": "2.0", "method": 7, "id": {}}', -32600),
        (json.dumps(rpc("SendMessage", 7)).encode(), -32602),
        (json.dumps(rpc("SendMessage", [1])).encode(), -32602),
    ],
)
async def test_body_that_is_not_a_call_gets_a_jsonrpc_error(
    host: HostClient, body: bytes, code: int
) -> None:
    headers = {"content-type": "application/json"}
    answer = await host.http.post(RPC, content=body, headers=headers)

    assert answer.status_code == 200
    assert error_in(answer.json())[0] == code


class TestErrorOfTheHost:
    @pytest.mark.parametrize(
        ("agent", "status", "code", "reason"),
        [
            ("gone", 502, -31502, "AGENT_UNREACHABLE"),
            ("bob", 404, -31404, "UNKNOWN_AGENT"),
        ],
    )
    async def test_has_its_own_domain(
        self, host: HostClient, agent: str, status: int, code: int, reason: str
    ) -> None:
        body = message("hello")
        for path in ("message:send", "message:stream"):
            answer = await host.http.post(f"/a2a/{agent}/{path}", json=body)
            assert answer.status_code == status
            assert error_in(answer.json()) == (status, reason, "courtside")
        for path in ("tasks/t1", "tasks/t1:subscribe", ".well-known/agent-card.json"):
            answer = await host.http.get(f"/a2a/{agent}/{path}")
            assert error_in(answer.json()) == (status, reason, "courtside")
        for method in ("SendMessage", "SendStreamingMessage"):
            answer = await host.http.post(f"/a2a/{agent}", json=rpc(method, body))
            assert error_in(answer.json()) == (code, reason, "courtside")
            assert agent in answer.json()["error"]["message"]

    async def test_says_that_the_message_is_too_large(self, host: HostClient) -> None:
        body = message("x" * 5_000_000)
        for path, sent, code in (
            (f"{RPC}/message:stream", body, 413),
            (RPC, rpc("SendMessage", body), -31413),
        ):
            answer = await host.http.post(path, json=sent)
            assert answer.status_code == 413
            assert error_in(answer.json()) == (code, "BODY_TOO_LARGE", "courtside")
            assert "4194304 bytes" in answer.text

    async def test_says_that_the_body_must_be_json(self, host: HostClient) -> None:
        headers = {"content-type": "text/plain"}
        answer = await host.http.post(RPC, content=b"{}", headers=headers)

        assert answer.status_code == 415
        assert error_in(answer.json())[0] == -31415


@pytest.mark.parametrize("version", ["0.3", "2.0", "x"])
async def test_other_versions_are_refused(host: HostClient, version: str) -> None:
    headers = {"a2a-version": version}
    call = rpc("GetTask", {"id": "t"})
    by_rpc = await host.http.post(RPC, json=call, headers=headers)
    by_path = await host.http.get(f"{RPC}/tasks", headers=headers)

    assert error_in(by_rpc.json())[0] == -32009
    assert error_in(by_path.json())[1] == "VERSION_NOT_SUPPORTED"


async def test_pages_of_other_origins_are_refused(host: HostClient) -> None:
    headers = {"origin": "http://evil.example"}
    answer = await host.http.post(RPC, json=rpc("ListTasks", {}), headers=headers)

    assert answer.status_code == 403
