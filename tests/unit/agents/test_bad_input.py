"""Tests that invalid requests get A2A errors and create no task, in both bindings.

Covers agents/request_checks.py, request_handler.py and a2a_routes.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from agents.request_checks import MAX_BODY_BYTES, normalize_path
from agents.request_handler import MAX_TEXT_CHARS
from tests.support.a2a_client import COMPLETED, INPUT_REQUIRED, Json, request
from tests.support.in_process_agent import InProcessAgent, run_agent, wait_for_state

INVALID = ("INVALID_PARAMS", -32602)
NO_TEXT = ("CONTENT_TYPE_NOT_SUPPORTED", -32005)
RAW = {"raw": "aGk=", "mediaType": "text/plain"}


class InvalidMessage(NamedTuple):
    """A message that the agent must refuse, with the reason and code of the error."""

    message: Json
    reason: str
    code: int


def invalid(reason_and_code: tuple[str, int], **message: Any) -> InvalidMessage:
    return InvalidMessage(request(**message)["message"], *reason_and_code)


INVALID_MESSAGES = {
    "no parts": invalid(INVALID, parts=[]),
    "an empty part": invalid(INVALID, parts=[{}]),
    "an empty text": invalid(INVALID, parts=[{"text": ""}]),
    "only spaces": invalid(INVALID, parts=[{"text": " \n "}]),
    "no messageId": invalid(INVALID, messageId=""),
    "no role": invalid(INVALID, role="ROLE_UNSPECIFIED"),
    "a mebibyte of text": invalid(INVALID, parts=[{"text": "x" * 2**20}]),
    "a text that is one character too long": invalid(
        INVALID, parts=[{"text": "x" * (MAX_TEXT_CHARS + 1)}]
    ),
    "only data": invalid(NO_TEXT, parts=[{"data": {"a": 1}}]),
    "only a file": invalid(NO_TEXT, parts=[RAW]),
    "only a link": invalid(NO_TEXT, parts=[{"url": "http://example.org/a.txt"}]),
    "a media type that is not in the card": invalid(
        NO_TEXT, parts=[{"text": "<b>hi</b>", "mediaType": "text/html"}]
    ),
    "an unknown task": invalid(("TASK_NOT_FOUND", -32001), taskId="nowhere"),
    "an unknown skill": invalid(INVALID, skill="dance"),
}


@pytest.fixture
async def agent() -> AsyncIterator[InProcessAgent]:
    """Run an agent that must have no tasks after the test."""
    async with run_agent() as agent:
        yield agent
        assert await agent.tasks() == []


async def get_error(
    agent: InProcessAgent, path: str, body: Json, method: str = "POST"
) -> tuple[int, str, str]:
    """Return the HTTP status, reason and message of an HTTP+JSON error."""
    answer = await agent.http.request(method, path, json=body)
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    info = error["details"][0]
    assert info["domain"] == "a2a-protocol.org"
    return answer.status_code, info["reason"], error["message"]


def http_status(reason: str) -> int:
    return 404 if reason == "TASK_NOT_FOUND" else 400


@pytest.mark.parametrize("path", ["/message:send", "/message:stream"])
@pytest.mark.parametrize("name", INVALID_MESSAGES)
async def test_invalid_message_is_refused_over_http_json(
    agent: InProcessAgent, name: str, path: str
) -> None:
    message, reason, _ = INVALID_MESSAGES[name]
    status, actual_reason, text = await get_error(agent, path, {"message": message})
    assert (status, actual_reason) == (http_status(reason), reason)
    assert text


@pytest.mark.parametrize("method", ["SendMessage", "SendStreamingMessage"])
@pytest.mark.parametrize("name", INVALID_MESSAGES)
async def test_invalid_message_is_refused_over_json_rpc(
    agent: InProcessAgent, name: str, method: str
) -> None:
    message, reason, code = INVALID_MESSAGES[name]
    error = (await agent.rpc(method, {"message": message}))["error"]
    assert (error["code"], error["data"][0]["reason"]) == (code, reason)


async def test_longest_text_is_accepted_in_escaped_json() -> None:
    longest = "\N{TENNIS RACQUET AND BALL}" * MAX_TEXT_CHARS
    async with run_agent() as agent:
        body = json.dumps(request(longest, skill="silent"), ensure_ascii=True)
        headers = {"Content-Type": "application/json"}
        answer = await agent.http.post("/message:send", content=body, headers=headers)
    assert answer.json()["task"]["status"]["state"] == COMPLETED


FOLLOW_UPS = {
    "in another context": ("asking", {"contextId": "another"}, *INVALID),
    "to a finished task": ("steady", {}, "UNSUPPORTED_OPERATION", -32004),
}


@pytest.mark.parametrize("name", FOLLOW_UPS)
async def test_invalid_follow_up_is_refused_and_changes_nothing(name: str) -> None:
    skill, fields, reason, code = FOLLOW_UPS[name]
    async with run_agent() as agent:
        task_id = await agent.start(skill=skill)
        state = INPUT_REQUIRED if skill == "asking" else COMPLETED
        before = await wait_for_state(agent, task_id, state)
        body = request("red", taskId=task_id, **fields)
        for path in ("/message:send", "/message:stream"):
            assert (await get_error(agent, path, body))[:2] == (400, reason)
        for method in ("SendMessage", "SendStreamingMessage"):
            assert (await agent.rpc(method, body))["error"]["code"] == code
        assert await agent.get(task_id) == before
        assert len(await agent.tasks()) == 1


async def test_request_for_an_unknown_task_is_not_found(
    agent: InProcessAgent,
) -> None:
    not_found = (404, "TASK_NOT_FOUND")
    for method, path in (("GET", ""), ("POST", ":cancel"), ("POST", ":subscribe")):
        assert (await get_error(agent, f"/tasks/no{path}", {}, method))[:2] == not_found
    for method in ("GetTask", "CancelTask", "SubscribeToTask"):
        assert (await agent.rpc(method, {"id": "no"}))["error"]["code"] == -32001


async def test_finished_task_is_not_cancelable_in_both_bindings() -> None:
    async with run_agent() as agent:
        task_id = (await agent.send()).json()["task"]["id"]
        rest = await get_error(agent, f"/tasks/{task_id}:cancel", {})
        rpc = await agent.rpc("CancelTask", {"id": task_id})
    assert rest[:2] == (400, "TASK_NOT_CANCELABLE")
    assert rpc["error"]["code"] == -32002


INVALID_BODIES = {
    "truncated": b'{"message": {',
    "empty": b"",
    "a list": b"[1, 2]",
    "a word": b"hello",
    "a number as the message": b'{"message": 3}',
    "not UTF-8": b'{"message": "\xff"}',
    "deeply nested": b"[" * 100_000,
    "null": b"null",
}


@pytest.mark.parametrize("path", ["/message:send", "/message:stream"])
@pytest.mark.parametrize("name", INVALID_BODIES)
async def test_invalid_body_is_refused_over_http_json(
    agent: InProcessAgent, name: str, path: str
) -> None:
    answer = await post(agent, path, INVALID_BODIES[name])
    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400
    assert error["details"][0]["reason"] in ("INVALID_REQUEST", "INVALID_PARAMS")


@pytest.mark.parametrize("name", INVALID_BODIES)
async def test_invalid_body_is_a_json_rpc_error(
    agent: InProcessAgent, name: str
) -> None:
    answer = await post(agent, "/", INVALID_BODIES[name])
    assert answer.status_code == (400 if name == "not UTF-8" else 200)
    assert answer.json()["error"]["code"] in (-32700, -32600)


INVALID_CALLS: dict[str, tuple[Json, int]] = {
    "an unknown method": ({"method": "Dance"}, -32601),
    "no method": ({"method": None}, -32600),
    "a list of parameters": ({"params": [3]}, -32602),
    "a message of the wrong type": ({"params": {"message": {"parts": "hi"}}}, -32602),
    "JSON-RPC 1.0": ({"jsonrpc": "1.0"}, -32600),
}


@pytest.mark.parametrize("name", INVALID_CALLS)
async def test_invalid_call_is_a_json_rpc_error(
    agent: InProcessAgent, name: str
) -> None:
    fields, code = INVALID_CALLS[name]
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": request()}
    answer = (await agent.http.post("/", json=call | fields)).json()
    assert answer["error"]["code"] == code


async def test_batch_is_refused(agent: InProcessAgent) -> None:
    answer = (await agent.http.post("/", json=[{"jsonrpc": "2.0"}])).json()
    assert answer["error"]["code"] == -32600


@pytest.mark.parametrize("path", ["/message:send", "/"])
@pytest.mark.parametrize("declared", [True, False])
async def test_too_large_body_is_413_with_the_error_of_the_binding(
    agent: InProcessAgent, path: str, declared: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * (MAX_BODY_BYTES // 2)

    body = b" " * (MAX_BODY_BYTES + 1) if declared else chunks()
    answer = await post(agent, path, body)
    error = answer.json()["error"]
    assert answer.status_code == 413
    assert f"larger than {MAX_BODY_BYTES} bytes" in error["message"]
    if path == "/":
        assert (error["code"], answer.json()["id"]) == (-32600, None)
    else:
        assert (error["code"], error["status"]) == (413, "INVALID_ARGUMENT")
        assert error["details"][0]["reason"] == "INVALID_REQUEST"


@pytest.mark.parametrize("path", ["/message:send", "/"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
async def test_body_of_another_content_type_is_415(
    agent: InProcessAgent, path: str, kind: str
) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": request()}
    body = json.dumps(call if path == "/" else request()).encode()
    answer = await post(agent, path, body, **{"Content-Type": kind})
    error = answer.json()["error"]
    assert answer.status_code == 415
    assert "send JSON with Content-Type: application/json" in error["message"]
    details = error["data"] if path == "/" else error["details"]
    assert details[0]["reason"] == "CONTENT_TYPE_NOT_SUPPORTED"
    assert error["code"] == (-32005 if path == "/" else 415)


@pytest.mark.parametrize(
    "kind", ["application/a2a+json", "Application/JSON; charset=utf-8"]
)
async def test_both_json_content_types_are_accepted(kind: str) -> None:
    async with run_agent() as agent:
        body = json.dumps(request()).encode()
        answer = await post(agent, "/message:send", body, **{"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize("version", ["", "0.3", "2.0", "one"])
async def test_unsupported_version_is_refused_in_both_bindings(
    agent: InProcessAgent, version: str
) -> None:
    agent.http.headers["A2A-Version"] = version
    for path in ("/message:send", "/message:stream"):
        assert (await get_error(agent, path, request()))[:2] == (
            400,
            "VERSION_NOT_SUPPORTED",
        )
    for method in ("SendMessage", "SendStreamingMessage"):
        assert (await agent.rpc(method, request()))["error"]["code"] == -32009
    agent.http.headers["A2A-Version"] = "1.0"


@pytest.mark.parametrize("path", ["message:send/", "/message:send", "message:send"])
async def test_extra_slash_at_either_end_of_the_path_is_ignored(path: str) -> None:
    async with run_agent() as agent:
        answer = await agent.http.post(f"http://agent.test/{path}", json=request())
        assert answer.status_code == 200
        task_id = answer.json()["task"]["id"]
        assert (await agent.http.get(f"/tasks/{task_id}/")).status_code == 200
        assert (await agent.http.get("/tasks/")).status_code == 200


@pytest.mark.parametrize(
    ("path", "normalized"),
    [("/", "/"), ("//", "/"), ("", "/"), ("//a/b//c/", "/a/b/c"), ("/a", "/a")],
)
def test_path_is_normalized(path: str, normalized: str) -> None:
    assert normalize_path(path) == normalized


async def post(
    agent: InProcessAgent, path: str, body: Any, **headers: str
) -> httpx.Response:
    kind = {"Content-Type": "application/json"}
    return await agent.http.post(path, content=body, headers=kind | headers)
