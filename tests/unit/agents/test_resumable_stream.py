"""Tests resumable streams: update numbers, replay and refusals.

Covers agents/resumable_stream.py and a2a_routes.py. The specification is
docs/resumable-stream.md.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from agents import resumable_stream
from agents.limits import Limits
from tests.support.a2a_client import (
    COMPLETED,
    INPUT_REQUIRED,
    Frame,
    Json,
    request,
    sequence_of,
)
from tests.support.in_process_agent import InProcessAgent, run_agent, wait_for_state
from tests.support.scenario_agent import create_ticking_agent


async def stream(agent: InProcessAgent, skill: str, **message: Any) -> list[Frame]:
    body = request(skill=skill, **message)
    return await agent.frames("/message:stream", json=body)


async def subscribe_over_http(
    agent: InProcessAgent, task_id: str, **headers: str
) -> Any:
    path = f"/tasks/{task_id}:subscribe"
    return await agent.http.post(path, headers=headers)


def rpc_subscribe(task_id: str) -> Json:
    params = {"id": task_id}
    return {"jsonrpc": "2.0", "id": 7, "method": "SubscribeToTask", "params": params}


@pytest.mark.parametrize("skill", ["steady", "streaming", "parallel", "failing"])
async def test_updates_are_numbered_in_their_ids_and_metadata(
    skill: str,
) -> None:
    async with run_agent() as agent:
        frames = await stream(agent, skill)
        task = await agent.get(frames[0].data["task"]["id"])
    assert sequence_of(frames) == [*range(1, len(frames) + 1)]
    assert task["metadata"][resumable_stream.URI] == {"sequence": len(frames)}


async def test_json_rpc_streams_have_the_same_numbers() -> None:
    call = {"jsonrpc": "2.0", "id": 7, "method": "SendStreamingMessage"}
    async with run_agent() as agent:
        body = {**call, "params": request(skill="steady")}
        frames = await agent.frames("/", json=body)
    assert sequence_of(frames) == [*range(1, len(frames) + 1)]
    assert {frame.data["id"] for frame in frames} == {7}


async def test_reader_resumes_after_any_update() -> None:
    async with run_agent() as agent:
        frames = await stream(agent, "streaming")
        task_id = frames[0].data["task"]["id"]
        for frame in frames:
            assert await agent.resume(task_id, frame.id) == frames[int(frame.id) :]


async def test_json_rpc_reader_resumes_after_any_update() -> None:
    async with run_agent() as agent:
        frames = await stream(agent, "steady")
        task_id = frames[0].data["task"]["id"]
        for frame in frames:
            replayed = await agent.frames(
                "/", json=rpc_subscribe(task_id), headers={"Last-Event-ID": frame.id}
            )
            results = [Frame(r.id, r.event, r.data["result"]) for r in replayed]
            assert results == frames[int(frame.id) :]


async def test_last_event_id_0_replays_the_whole_task() -> None:
    async with run_agent() as agent:
        frames = await stream(agent, "steady")
        assert await agent.resume(frames[0].data["task"]["id"], 0) == frames


async def test_resumed_stream_of_an_open_task_continues_live() -> None:
    async with run_agent() as agent, anyio.create_task_group() as tasks:
        asked = await stream(agent, "asking")
        task_id = asked[0].data["task"]["id"]
        resumed: list[Frame] = []

        async def follow() -> None:
            resumed.extend(await agent.resume(task_id, 1))

        tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        answered = await stream(agent, "asking", taskId=task_id)
    assert resumed == [*asked[1:], *answered]


async def test_subscription_without_an_id_begins_with_the_numbered_task() -> None:
    async with run_agent() as agent, anyio.create_task_group() as tasks:
        asked = await stream(agent, "asking")
        task_id = asked[0].data["task"]["id"]
        followed: list[Frame] = []

        async def follow() -> None:
            followed.extend(await agent.frames(f"/tasks/{task_id}:subscribe"))

        tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        answered = await stream(agent, "asking", taskId=task_id)
    assert list(followed[0].data) == ["task"]
    assert followed[0].id == asked[-1].id
    assert followed[1:] == answered


async def test_user_messages_take_no_number() -> None:
    async with run_agent() as agent:
        asked = await stream(agent, "asking")
        task_id = asked[0].data["task"]["id"]
        answered = await stream(agent, "asking", taskId=task_id)
    assert sequence_of([*asked, *answered]) == [*range(1, len(asked + answered) + 1)]


async def test_evicted_updates_are_refused_with_the_available_range() -> None:
    async with run_agent(
        create_ticking_agent(50), limits=Limits(replay_updates=10)
    ) as agent:
        frames = await stream(agent, "ticking")
        task_id, head = frames[0].data["task"]["id"], len(frames)
        assert await agent.resume(task_id, head - 10) == frames[-10:]
        gone = await subscribe_over_http(
            agent, task_id, **{"Last-Event-ID": str(head - 11)}
        )
        headers = {"Last-Event-ID": "0"}
        rpc = await agent.http.post("/", json=rpc_subscribe(task_id), headers=headers)
    why = (
        f"Updates after {head - 11} are no longer stored: the agent has {head - 9} to "
        f"{head}; subscribe without Last-Event-ID to begin with the task"
    )
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "UPDATES_GONE",
        "domain": "a2a-protocol.org",
        "metadata": {"oldest": str(head - 9), "newest": str(head)},
    }
    assert gone.status_code == 410
    error = {"code": 410, "status": "OUT_OF_RANGE", "message": why, "details": [info]}
    assert gone.json() == {"error": error}
    assert (rpc.status_code, rpc.json()["id"]) == (200, 7)
    assert rpc.json()["error"]["code"] == -31410
    assert rpc.json()["error"]["data"] == [info]


async def test_replay_buffer_is_also_limited_in_bytes() -> None:
    limits = Limits(replay_bytes=4000)
    async with run_agent(create_ticking_agent(50), limits=limits) as agent:
        frames = await stream(agent, "ticking")
        task_id, head = frames[0].data["task"]["id"], len(frames)
        refusal = await subscribe_over_http(agent, task_id, **{"Last-Event-ID": "0"})
        oldest = int(refusal.json()["error"]["details"][0]["metadata"]["oldest"])
        assert await agent.resume(task_id, oldest - 1) == frames[oldest - 1 :]
    assert head - 20 < oldest < head


async def test_number_after_the_last_update_is_refused() -> None:
    async with run_agent() as agent:
        frames = await stream(agent, "steady")
        task_id = frames[0].data["task"]["id"]
        ahead = await subscribe_over_http(agent, task_id, **{"Last-Event-ID": "999"})
    assert ahead.status_code == 410


@pytest.mark.parametrize("last", ["seven", "-1", "1.5", "k3-7", "9" * 16, "²"])
async def test_last_event_id_must_be_a_number(last: str) -> None:
    async with run_agent() as agent:
        task_id = await agent.start(skill="asking")
        await wait_for_state(agent, task_id, INPUT_REQUIRED)
        headers = {b"Last-Event-ID": last.encode()}
        path = f"/tasks/{task_id}:subscribe"
        answer = await agent.http.post(path, headers=headers)
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["reason"]) == (400, "INVALID_PARAMS")
    assert "is not an update's number" in error["message"]


async def test_unknown_task_cannot_be_resumed() -> None:
    async with run_agent() as agent:
        answer = await subscribe_over_http(agent, "nowhere", **{"Last-Event-ID": "3"})
    assert answer.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"


async def test_finished_task_is_streamed_only_with_last_event_id() -> None:
    async with run_agent() as agent:
        frames = await stream(agent, "steady")
        task_id = frames[0].data["task"]["id"]
        plain = await subscribe_over_http(agent, task_id)
        assert await agent.resume(task_id, frames[-1].id) == []
        rpc = await agent.rpc("SubscribeToTask", {"id": task_id})
    reason = plain.json()["error"]["details"][0]["reason"]
    assert (plain.status_code, reason) == (400, "UNSUPPORTED_OPERATION")
    assert rpc["error"]["code"] == -32004


async def test_version_can_be_in_the_query() -> None:
    """EventSource cannot set headers. It only sends Last-Event-ID."""
    async with run_agent() as agent:
        frames = await stream(agent, "steady")
        path = f"/tasks/{frames[0].data['task']['id']}:subscribe"
        headers = {"A2A-Version": "", "Last-Event-ID": "3"}
        replayed = await agent.http.get(f"{path}?A2A-Version=1.0", headers=headers)
        refused = await agent.http.get(path, headers=headers)
    assert replayed.status_code == 200
    assert replayed.text.startswith("id: 4\r\n")
    assert refused.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


async def test_card_declares_the_replay_limits() -> None:
    limits = Limits(replay_updates=77, replay_bytes=8888)
    async with run_agent(limits=limits) as agent:
        card = (await agent.http.get("/.well-known/agent-card.json")).json()
    declared = {each["uri"]: each for each in card["capabilities"]["extensions"]}
    assert declared[resumable_stream.URI]["params"] == {
        "maxUpdates": 77,
        "maxBytes": 8888,
    }
    assert not declared[resumable_stream.URI].get("required", False)


async def test_all_readers_of_a_task_get_the_same_updates_in_order() -> None:
    seen: list[list[Frame]] = []
    async with run_agent() as agent, anyio.create_task_group() as tasks:
        task_id = await agent.start(skill="asking")
        await wait_for_state(agent, task_id, INPUT_REQUIRED)

        async def follow() -> None:
            seen.append(await agent.resume(task_id, 0))

        for _ in range(10):
            tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        await agent.send("blue", taskId=task_id)
    assert len(seen) == 10
    assert all(frames == seen[0] for frames in seen)


async def test_stream_is_complete_if_its_task_is_evicted_at_the_end() -> None:
    async with run_agent(limits=Limits(tasks=0)) as agent:
        frames = await stream(agent, "steady")
        assert await agent.tasks() == []
    assert sequence_of(frames) == [*range(1, len(frames) + 1)]
    assert frames[-1].data["statusUpdate"]["status"]["state"] == COMPLETED
