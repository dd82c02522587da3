"""What is wrong with a request is told in A2A's words, and leaves no task behind.

agents/request_checks.py, request_handler.py and a2a_routes.py; in both bindings.
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
from tests.support.in_process_agent import OnStage, on_stage, settled

INVALID = ("INVALID_PARAMS", -32602)
NO_TEXT = ("CONTENT_TYPE_NOT_SUPPORTED", -32005)
RAW = {"raw": "aGk=", "mediaType": "text/plain"}


class Wrong(NamedTuple):
    """A message that cannot be accepted, and what A2A calls what is wrong with it."""

    message: Json
    reason: str
    code: int


def wrong(reason_and_code: tuple[str, int], **message: Any) -> Wrong:
    return Wrong(request(**message)["message"], *reason_and_code)


WRONG = {
    "no parts at all": wrong(INVALID, parts=[]),
    "a part with nothing in it": wrong(INVALID, parts=[{}]),
    "an empty text": wrong(INVALID, parts=[{"text": ""}]),
    "only spaces": wrong(INVALID, parts=[{"text": " \n "}]),
    "no messageId": wrong(INVALID, messageId=""),
    "no role": wrong(INVALID, role="ROLE_UNSPECIFIED"),
    "a mebibyte of text": wrong(INVALID, parts=[{"text": "x" * 2**20}]),
    "one character too many": wrong(
        INVALID, parts=[{"text": "x" * (MAX_TEXT_CHARS + 1)}]
    ),
    "only data": wrong(NO_TEXT, parts=[{"data": {"a": 1}}]),
    "only a file": wrong(NO_TEXT, parts=[RAW]),
    "only a link": wrong(NO_TEXT, parts=[{"url": "http://example.org/a.txt"}]),
    "a media type the card does not have": wrong(
        NO_TEXT, parts=[{"text": "<b>hi</b>", "mediaType": "text/html"}]
    ),
    "a task that is not there": wrong(("TASK_NOT_FOUND", -32001), taskId="nowhere"),
    "a skill that is not there": wrong(INVALID, skill="dance"),
}


@pytest.fixture
async def agent() -> AsyncIterator[OnStage]:
    """Nobody may leave a task with this agent."""
    async with on_stage() as agent:
        yield agent
        assert await agent.tasks() == []


async def told(
    agent: OnStage, path: str, body: Json, method: str = "POST"
) -> tuple[int, str, str]:
    """HTTP status, reason and message of a refusal over HTTP+JSON."""
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
@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_message_is_refused_over_http_json(
    agent: OnStage, name: str, path: str
) -> None:
    message, reason, _ = WRONG[name]
    status, told_reason, text = await told(agent, path, {"message": message})
    assert (status, told_reason) == (http_status(reason), reason)
    assert text


@pytest.mark.parametrize("method", ["SendMessage", "SendStreamingMessage"])
@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_message_is_refused_over_json_rpc(
    agent: OnStage, name: str, method: str
) -> None:
    message, reason, code = WRONG[name]
    error = (await agent.rpc(method, {"message": message}))["error"]
    assert (error["code"], error["data"][0]["reason"]) == (code, reason)


async def test_the_longest_text_is_accepted_however_it_is_escaped() -> None:
    longest = "\N{TENNIS RACQUET AND BALL}" * MAX_TEXT_CHARS
    async with on_stage() as agent:
        body = json.dumps(request(longest, skill="silent"), ensure_ascii=True)
        headers = {"Content-Type": "application/json"}
        answer = await agent.http.post("/message:send", content=body, headers=headers)
    assert answer.json()["task"]["status"]["state"] == COMPLETED


FOLLOW_UPS = {
    "in another context": ("asking", {"contextId": "another"}, *INVALID),
    "to a finished task": ("steady", {}, "UNSUPPORTED_OPERATION", -32004),
}


@pytest.mark.parametrize("name", FOLLOW_UPS)
async def test_a_wrong_follow_up_is_refused_and_changes_nothing(name: str) -> None:
    skill, fields, reason, code = FOLLOW_UPS[name]
    async with on_stage() as agent:
        task_id = await agent.start(skill=skill)
        state = INPUT_REQUIRED if skill == "asking" else COMPLETED
        before = await settled(agent, task_id, state)
        body = request("red", taskId=task_id, **fields)
        for path in ("/message:send", "/message:stream"):
            assert (await told(agent, path, body))[:2] == (400, reason)
        for method in ("SendMessage", "SendStreamingMessage"):
            assert (await agent.rpc(method, body))["error"]["code"] == code
        assert await agent.get(task_id) == before
        assert len(await agent.tasks()) == 1


async def test_what_is_asked_of_a_task_that_is_not_there_is_not_found(
    agent: OnStage,
) -> None:
    not_found = (404, "TASK_NOT_FOUND")
    for method, path in (("GET", ""), ("POST", ":cancel"), ("POST", ":subscribe")):
        assert (await told(agent, f"/tasks/no{path}", {}, method))[:2] == not_found
    for method in ("GetTask", "CancelTask", "SubscribeToTask"):
        assert (await agent.rpc(method, {"id": "no"}))["error"]["code"] == -32001


async def test_what_cannot_be_cancelled_says_so_in_both_bindings() -> None:
    async with on_stage() as agent:
        task_id = (await agent.send()).json()["task"]["id"]
        rest = await told(agent, f"/tasks/{task_id}:cancel", {})
        rpc = await agent.rpc("CancelTask", {"id": task_id})
    assert rest[:2] == (400, "TASK_NOT_CANCELABLE")
    assert rpc["error"]["code"] == -32002


BROKEN = {
    "cut off": b'{"message": {',
    "nothing": b"",
    "no object": b"[1, 2]",
    "a word": b"hello",
    "a number for a message": b'{"message": 3}',
    "not UTF-8": b'{"message": "\xff"}',
    "nested without end": b"[" * 100_000,
    "null": b"null",
}


@pytest.mark.parametrize("path", ["/message:send", "/message:stream"])
@pytest.mark.parametrize("name", BROKEN)
async def test_a_body_that_is_no_request_is_invalid_over_http_json(
    agent: OnStage, name: str, path: str
) -> None:
    answer = await post(agent, path, BROKEN[name])
    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400
    assert error["details"][0]["reason"] in ("INVALID_REQUEST", "INVALID_PARAMS")


@pytest.mark.parametrize("name", BROKEN)
async def test_a_body_that_is_no_call_is_an_error_of_json_rpc(
    agent: OnStage, name: str
) -> None:
    answer = await post(agent, "/", BROKEN[name])
    assert answer.status_code == (400 if name == "not UTF-8" else 200)
    assert answer.json()["error"]["code"] in (-32700, -32600)


CALLS: dict[str, tuple[Json, int]] = {
    "a method that is not there": ({"method": "Dance"}, -32601),
    "no method": ({"method": None}, -32600),
    "parameters that are no object": ({"params": [3]}, -32602),
    "a wrong type inside": ({"params": {"message": {"parts": "hi"}}}, -32602),
    "another version of JSON-RPC": ({"jsonrpc": "1.0"}, -32600),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_wrong_call_is_an_error_of_json_rpc(agent: OnStage, name: str) -> None:
    fields, code = CALLS[name]
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": request()}
    answer = (await agent.http.post("/", json=call | fields)).json()
    assert answer["error"]["code"] == code


async def test_a_batch_is_refused(agent: OnStage) -> None:
    answer = (await agent.http.post("/", json=[{"jsonrpc": "2.0"}])).json()
    assert answer["error"]["code"] == -32600


@pytest.mark.parametrize("path", ["/message:send", "/"])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_413_with_the_error_of_the_binding(
    agent: OnStage, path: str, declared: bool
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
async def test_a_body_that_does_not_say_it_is_json_is_415(
    agent: OnStage, path: str, kind: str
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
async def test_both_names_of_json_are_accepted(kind: str) -> None:
    async with on_stage() as agent:
        body = json.dumps(request()).encode()
        answer = await post(agent, "/message:send", body, **{"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize("version", ["", "0.3", "2.0", "one"])
async def test_another_version_is_refused_in_both_bindings(
    agent: OnStage, version: str
) -> None:
    agent.http.headers["A2A-Version"] = version
    for path in ("/message:send", "/message:stream"):
        assert (await told(agent, path, request()))[:2] == (
            400,
            "VERSION_NOT_SUPPORTED",
        )
    for method in ("SendMessage", "SendStreamingMessage"):
        assert (await agent.rpc(method, request()))["error"]["code"] == -32009
    agent.http.headers["A2A-Version"] = "1.0"


@pytest.mark.parametrize("path", ["message:send/", "/message:send", "message:send"])
async def test_a_slash_more_at_either_end_of_the_url_changes_nothing(path: str) -> None:
    async with on_stage() as agent:
        answer = await agent.http.post(f"http://agent.test/{path}", json=request())
        assert answer.status_code == 200
        task_id = answer.json()["task"]["id"]
        assert (await agent.http.get(f"/tasks/{task_id}/")).status_code == 200
        assert (await agent.http.get("/tasks/")).status_code == 200


@pytest.mark.parametrize(
    ("path", "tidied"),
    [("/", "/"), ("//", "/"), ("", "/"), ("//a/b//c/", "/a/b/c"), ("/a", "/a")],
)
def test_a_path_has_one_form(path: str, tidied: str) -> None:
    assert normalize_path(path) == tidied


async def post(agent: OnStage, path: str, body: Any, **headers: str) -> httpx.Response:
    kind = {"Content-Type": "application/json"}
    return await agent.http.post(path, content=body, headers=kind | headers)
