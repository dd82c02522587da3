"""Tests clients of protocol 0.3, and clients that do not know our extensions.

Covers agents/a2a_routes.py and card.py. The 0.3 requests are literal JSON.
"""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from a2a.client import ClientConfig, create_client
from a2a.helpers.proto_helpers import new_text_message
from a2a.types.a2a_pb2 import Role, SendMessageRequest, StreamResponse, TaskState
from a2a.utils.constants import TransportProtocol
from starlette.responses import JSONResponse

from agents import progress, resumable_stream
from tests.support.a2a_client import COMPLETED, Json
from tests.support.in_process_agent import InProcessAgent, run_agent

CARD = "/.well-known/agent-card.json"


def message_03(text: str = "please", **fields: Any) -> Json:
    parts = [{"kind": "text", "text": text}]
    ids = {"messageId": str(uuid.uuid4()), "role": "user", "kind": "message"}
    return {"message": {**ids, "parts": parts, **fields}}


async def rpc_03(agent: InProcessAgent, method: str, params: Json) -> Json:
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {"A2A-Version": ""}
    answer: Json = (await agent.http.post("/", json=call, headers=headers)).json()
    return answer


async def rest_03(
    agent: InProcessAgent, method: str, path: str, body: Any = None
) -> Any:
    headers = {"A2A-Version": ""}
    return await agent.http.request(method, path, json=body, headers=headers)


async def test_card_lists_1_0_before_0_3() -> None:
    async with run_agent() as agent:
        card = (await agent.http.get(CARD)).json()
    offered = [
        (each["protocolVersion"], each["protocolBinding"])
        for each in card["supportedInterfaces"]
    ]
    assert offered == [
        ("1.0", "JSONRPC"),
        ("1.0", "HTTP+JSON"),
        ("0.3", "JSONRPC"),
        ("0.3", "HTTP+JSON"),
    ]
    # A 0.3 client reads these fields instead of the list.
    assert card["url"] == "http://agent.test/"
    assert card["preferredTransport"] == "JSONRPC"
    assert card["protocolVersion"] == "0.3"


async def test_0_3_client_can_send_and_get_but_not_cancel_a_finished_task() -> None:
    async with run_agent() as agent:
        task = (await rpc_03(agent, "message/send", message_03()))["result"]
        again = (await rpc_03(agent, "tasks/get", {"id": task["id"]}))["result"]
        late = await rpc_03(agent, "tasks/cancel", {"id": task["id"]})
    assert task["kind"] == "task"
    assert task["status"]["state"] == "completed"
    assert task["artifacts"][0]["parts"][0] == {"kind": "text", "text": "All good."}
    assert again["status"] == task["status"]
    assert late["error"]["code"] == -32002


async def test_0_3_stream_uses_the_kinds_and_states_of_0_3() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "message/stream"}
    async with run_agent() as agent:
        body = {**call, "params": message_03()}
        frames = await agent.frames("/", json=body, headers={"A2A-Version": ""})
    results = [frame.data["result"] for frame in frames]
    kinds = [each["kind"] for each in results]
    assert kinds[0] == "task"
    assert set(kinds[1:]) == {"status-update", "artifact-update"}
    assert results[-1]["status"]["state"] == "completed"
    assert results[-1]["final"] is True
    assert results[-1]["metadata"][progress.URI]["aggregate"]["progress"] == 100


async def test_0_3_follow_up_answers_a_question() -> None:
    params = message_03(metadata={"skillId": "asking"})
    async with run_agent() as agent:
        asked = (await rpc_03(agent, "message/send", params))["result"]
        answer = message_03("blue", taskId=asked["id"], contextId=asked["contextId"])
        done = (await rpc_03(agent, "message/send", answer))["result"]
    assert asked["status"]["state"] == "input-required"
    assert done["status"]["state"] == "completed"


async def test_0_3_resubscription_replays_after_last_event_id() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tasks/resubscribe"}
    async with run_agent() as agent:
        task = (await rpc_03(agent, "message/send", message_03()))["result"]
        frames = await agent.frames(
            "/",
            json={**call, "params": {"id": task["id"]}},
            headers={"A2A-Version": "", "Last-Event-ID": "5"},
        )
    kinds = [frame.data["result"]["kind"] for frame in frames]
    assert kinds == ["artifact-update", "status-update"]


async def test_0_3_http_json_paths_are_under_v1() -> None:
    body = {
        "message": {
            "messageId": "m",
            "role": "ROLE_USER",
            "content": [{"text": "please"}],
        }
    }
    async with run_agent() as agent:
        sent = await rest_03(agent, "POST", "/v1/message:send", body)
        task = sent.json()["task"]
        got = await rest_03(agent, "GET", f"/v1/tasks/{task['id']}")
        late = await rest_03(agent, "POST", f"/v1/tasks/{task['id']}:cancel")
    assert task["status"]["state"] == COMPLETED
    assert got.json()["status"]["state"] == COMPLETED
    assert late.status_code == 400


async def test_invalid_0_3_messages_create_no_task() -> None:
    invalid: tuple[tuple[Json, int], ...] = (
        ({"parts": []}, -32602),
        ({"parts": [{"kind": "text", "text": ""}]}, -32602),
        ({"parts": [{"kind": "data", "data": {"a": 1}}]}, -32005),
        ({"taskId": "nowhere"}, -32001),
    )
    async with run_agent() as agent:
        for fields, code in invalid:
            answer = await rpc_03(agent, "message/send", message_03(**fields))
            assert answer["error"]["code"] == code, answer
        assert await agent.tasks() == []


@pytest.mark.parametrize(
    ("requested", "supported"),
    [
        (resumable_stream.URI, resumable_stream.URI),
        (
            f"{resumable_stream.URI}, {progress.URI}",
            f"{progress.URI}, {resumable_stream.URI}",
        ),
        (f"https://example.org/other/v1,{resumable_stream.URI}", resumable_stream.URI),
        ("https://example.org/other/v1", None),
        ("", None),
    ],
)
async def test_response_lists_the_supported_ones_of_the_requested_extensions(
    requested: str, supported: str | None
) -> None:
    async with run_agent() as agent:
        headers = {"A2A-Extensions": requested}
        answer = await agent.http.get("/tasks", headers=headers)
    assert answer.headers.get("A2A-Extensions") == supported


@pytest.mark.parametrize("binding", list(TransportProtocol)[:2])
async def test_sdk_client_sees_standard_a2a(binding: TransportProtocol) -> None:
    """The client knows no extension. It sees numbers and progress as metadata."""
    events: list[StreamResponse] = []
    async with run_agent() as agent:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(agent.app))
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding])
        async with http, await create_client("http://agent.test", config) as client:
            message = new_text_message("streaming", role=Role.ROLE_USER)
            request = SendMessageRequest(message=message)
            events.extend([event async for event in client.send_message(request)])
    kinds = [event.WhichOneof("payload") for event in events]
    assert kinds[0] == "task"
    assert set(kinds[1:]) == {"status_update", "artifact_update"}
    last = events[-1].status_update
    assert last.status.state == TaskState.TASK_STATE_COMPLETED
    assert set(last.metadata) == {progress.URI, resumable_stream.URI}


async def test_sdk_client_uses_0_3_with_a_0_3_card() -> None:
    async with run_agent() as agent:
        card = (await agent.http.get(CARD)).json()
        legacy = {k: v for k, v in card.items() if k != "supportedInterfaces"}

        async def old_agent(scope: Any, receive: Any, send: Any) -> None:
            """Serve the agent with a card that has no 1.0 interfaces."""
            if scope["path"] == CARD:
                await JSONResponse(legacy)(scope, receive, send)
            else:
                await agent.app(scope, receive, send)

        http = httpx.AsyncClient(transport=httpx.ASGITransport(old_agent))
        async with (
            http,
            await create_client(
                "http://agent.test", ClientConfig(httpx_client=http)
            ) as client,
        ):
            message = new_text_message("please", role=Role.ROLE_USER)
            request = SendMessageRequest(message=message)
            events = [event async for event in client.send_message(request)]
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
