"""Clients of protocol 0.3 and clients that know nothing of our extensions.

agents/a2a_routes.py and card.py. The requests are written out as 0.3 has them.
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

from agents import progress, resume
from tests.support.a2a_client import COMPLETED, Json
from tests.support.in_process_agent import OnStage, on_stage

CARD = "/.well-known/agent-card.json"


def message_03(text: str = "please", **fields: Any) -> Json:
    parts = [{"kind": "text", "text": text}]
    ids = {"messageId": str(uuid.uuid4()), "role": "user", "kind": "message"}
    return {"message": {**ids, "parts": parts, **fields}}


async def rpc_03(agent: OnStage, method: str, params: Json) -> Json:
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {"A2A-Version": ""}
    answer: Json = (await agent.http.post("/", json=call, headers=headers)).json()
    return answer


async def rest_03(agent: OnStage, method: str, path: str, body: Any = None) -> Any:
    headers = {"A2A-Version": ""}
    return await agent.http.request(method, path, json=body, headers=headers)


async def test_the_card_offers_1_0_first_and_0_3_behind_it() -> None:
    async with on_stage() as agent:
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
    # What a client of 0.3 reads instead of that list.
    assert card["url"] == "http://agent.test/"
    assert card["preferredTransport"] == "JSONRPC"
    assert card["protocolVersion"] == "0.3"


async def test_a_0_3_call_sends_gets_and_cannot_cancel_what_is_over() -> None:
    async with on_stage() as agent:
        task = (await rpc_03(agent, "message/send", message_03()))["result"]
        again = (await rpc_03(agent, "tasks/get", {"id": task["id"]}))["result"]
        late = await rpc_03(agent, "tasks/cancel", {"id": task["id"]})
    assert task["kind"] == "task"
    assert task["status"]["state"] == "completed"
    assert task["artifacts"][0]["parts"][0] == {"kind": "text", "text": "All good."}
    assert again["status"] == task["status"]
    assert late["error"]["code"] == -32002


async def test_a_0_3_stream_tells_states_in_the_words_of_0_3() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "message/stream"}
    async with on_stage() as agent:
        body = {**call, "params": message_03()}
        frames = await agent.frames("/", json=body, headers={"A2A-Version": ""})
    told = [frame.data["result"] for frame in frames]
    kinds = [each["kind"] for each in told]
    assert kinds[0] == "task"
    assert set(kinds[1:]) == {"status-update", "artifact-update"}
    assert told[-1]["status"]["state"] == "completed"
    assert told[-1]["final"] is True
    assert told[-1]["metadata"][progress.URI]["aggregate"]["progress"] == 100


async def test_a_0_3_follow_up_answers_a_question() -> None:
    wish = message_03(metadata={"skillId": "asking"})
    async with on_stage() as agent:
        asked = (await rpc_03(agent, "message/send", wish))["result"]
        answer = message_03("blue", taskId=asked["id"], contextId=asked["contextId"])
        done = (await rpc_03(agent, "message/send", answer))["result"]
    assert asked["status"]["state"] == "input-required"
    assert done["status"]["state"] == "completed"


async def test_a_0_3_resubscription_replays_with_last_event_id() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tasks/resubscribe"}
    async with on_stage() as agent:
        task = (await rpc_03(agent, "message/send", message_03()))["result"]
        frames = await agent.frames(
            "/",
            json={**call, "params": {"id": task["id"]}},
            headers={"A2A-Version": "", "Last-Event-ID": "5"},
        )
    kinds = [frame.data["result"]["kind"] for frame in frames]
    assert kinds == ["artifact-update", "status-update"]


async def test_a_0_3_client_of_http_json_finds_its_paths_under_v1() -> None:
    body = {
        "message": {
            "messageId": "m",
            "role": "ROLE_USER",
            "content": [{"text": "please"}],
        }
    }
    async with on_stage() as agent:
        sent = await rest_03(agent, "POST", "/v1/message:send", body)
        task = sent.json()["task"]
        got = await rest_03(agent, "GET", f"/v1/tasks/{task['id']}")
        late = await rest_03(agent, "POST", f"/v1/tasks/{task['id']}:cancel")
    assert task["status"]["state"] == COMPLETED
    assert got.json()["status"]["state"] == COMPLETED
    assert late.status_code == 400


async def test_wrong_0_3_messages_leave_no_task_behind() -> None:
    wrong: tuple[tuple[Json, int], ...] = (
        ({"parts": []}, -32602),
        ({"parts": [{"kind": "text", "text": ""}]}, -32602),
        ({"parts": [{"kind": "data", "data": {"a": 1}}]}, -32005),
        ({"taskId": "nowhere"}, -32001),
    )
    async with on_stage() as agent:
        for fields, code in wrong:
            answer = await rpc_03(agent, "message/send", message_03(**fields))
            assert answer["error"]["code"] == code, answer
        assert await agent.tasks() == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (resume.URI, resume.URI),
        (f"{resume.URI}, {progress.URI}", f"{progress.URI}, {resume.URI}"),
        (f"https://example.org/other/v1,{resume.URI}", resume.URI),
        ("https://example.org/other/v1", None),
        ("", None),
    ],
)
async def test_who_asks_for_extensions_is_told_which_there_are(
    asked: str, told: str | None
) -> None:
    async with on_stage() as agent:
        headers = {"A2A-Extensions": asked}
        answer = await agent.http.get("/tasks", headers=headers)
    assert answer.headers.get("A2A-Extensions") == told


@pytest.mark.parametrize("binding", list(TransportProtocol)[:2])
async def test_the_sdks_own_client_sees_plain_a2a(binding: TransportProtocol) -> None:
    """It knows neither extension: numbers and progress are metadata to it."""
    events: list[StreamResponse] = []
    async with on_stage() as agent:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(agent.app))
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding])
        async with http, await create_client("http://agent.test", config) as client:
            message = new_text_message("streaming", role=Role.ROLE_USER)
            wish = SendMessageRequest(message=message)
            events.extend([event async for event in client.send_message(wish)])
    kinds = [event.WhichOneof("payload") for event in events]
    assert kinds[0] == "task"
    assert set(kinds[1:]) == {"status_update", "artifact_update"}
    last = events[-1].status_update
    assert last.status.state == TaskState.TASK_STATE_COMPLETED
    assert set(last.metadata) == {progress.URI, resume.URI}


async def test_the_sdks_own_client_speaks_0_3_with_a_card_of_0_3() -> None:
    async with on_stage() as agent:
        card = (await agent.http.get(CARD)).json()
        legacy = {k: v for k, v in card.items() if k != "supportedInterfaces"}

        async def old_agent(scope: Any, receive: Any, send: Any) -> None:
            """An agent whose card knows nothing of 1.0."""
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
            wish = SendMessageRequest(message=message)
            events = [event async for event in client.send_message(wish)]
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
