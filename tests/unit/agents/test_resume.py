"""Streams that can be resumed: numbers, replay, and honest refusals.

agents/resume.py, replay.py and a2a_routes.py, in this process.
docs/resumable-stream.md is the specification.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from agents import resume
from agents.limits import Limits
from tests.support.a2a_client import (
    COMPLETED,
    INPUT_REQUIRED,
    Frame,
    Json,
    request,
    sequence_of,
)
from tests.support.in_process_agent import OnStage, on_stage, settled
from tests.support.tessa import ticking


async def streamed(agent: OnStage, skill: str, **message: Any) -> list[Frame]:
    body = request(skill=skill, **message)
    return await agent.frames("/message:stream", json=body)


async def subscribed(agent: OnStage, task_id: str, **headers: str) -> Any:
    path = f"/tasks/{task_id}:subscribe"
    return await agent.http.post(path, headers=headers)


def rpc_subscribe(task_id: str) -> Json:
    params = {"id": task_id}
    return {"jsonrpc": "2.0", "id": 7, "method": "SubscribeToTask", "params": params}


@pytest.mark.parametrize("skill", ["steady", "streaming", "parallel", "failing"])
async def test_every_update_has_the_next_number_as_its_id_and_in_its_metadata(
    skill: str,
) -> None:
    async with on_stage() as agent:
        frames = await streamed(agent, skill)
        task = await agent.get(frames[0].data["task"]["id"])
    assert sequence_of(frames) == [*range(1, len(frames) + 1)]
    assert task["metadata"][resume.URI] == {"sequence": len(frames)}


async def test_json_rpc_streams_have_the_same_numbers() -> None:
    call = {"jsonrpc": "2.0", "id": 7, "method": "SendStreamingMessage"}
    async with on_stage() as agent:
        body = {**call, "params": request(skill="steady")}
        frames = await agent.frames("/", json=body)
    assert sequence_of(frames) == [*range(1, len(frames) + 1)]
    assert {frame.data["id"] for frame in frames} == {7}


async def test_whoever_comes_back_gets_exactly_what_followed_from_any_point() -> None:
    async with on_stage() as agent:
        frames = await streamed(agent, "streaming")
        task_id = frames[0].data["task"]["id"]
        for frame in frames:
            assert await agent.resume(task_id, frame.id) == frames[int(frame.id) :]


async def test_the_same_over_json_rpc() -> None:
    async with on_stage() as agent:
        frames = await streamed(agent, "steady")
        task_id = frames[0].data["task"]["id"]
        for frame in frames:
            replayed = await agent.frames(
                "/", json=rpc_subscribe(task_id), headers={"Last-Event-ID": frame.id}
            )
            told = [Frame(r.id, r.event, r.data["result"]) for r in replayed]
            assert told == frames[int(frame.id) :]


async def test_zero_replays_a_task_from_its_beginning() -> None:
    async with on_stage() as agent:
        frames = await streamed(agent, "steady")
        assert await agent.resume(frames[0].data["task"]["id"], 0) == frames


async def test_a_resumed_stream_of_an_open_task_goes_on_live() -> None:
    async with on_stage() as agent, anyio.create_task_group() as tasks:
        asked = await streamed(agent, "asking")
        task_id = asked[0].data["task"]["id"]
        resumed: list[Frame] = []

        async def follow() -> None:
            resumed.extend(await agent.resume(task_id, 1))

        tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        answered = await streamed(agent, "asking", taskId=task_id)
    assert resumed == [*asked[1:], *answered]


async def test_a_subscriber_without_an_id_begins_with_the_task_and_its_number() -> None:
    async with on_stage() as agent, anyio.create_task_group() as tasks:
        asked = await streamed(agent, "asking")
        task_id = asked[0].data["task"]["id"]
        followed: list[Frame] = []

        async def follow() -> None:
            followed.extend(await agent.frames(f"/tasks/{task_id}:subscribe"))

        tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        answered = await streamed(agent, "asking", taskId=task_id)
    assert list(followed[0].data) == ["task"]
    assert followed[0].id == asked[-1].id
    assert followed[1:] == answered


async def test_a_persons_message_takes_no_number_and_its_answer_the_next() -> None:
    async with on_stage() as agent:
        asked = await streamed(agent, "asking")
        task_id = asked[0].data["task"]["id"]
        answered = await streamed(agent, "asking", taskId=task_id)
    assert sequence_of([*asked, *answered]) == [*range(1, len(asked + answered) + 1)]


async def test_what_is_no_longer_kept_is_refused_with_what_there_is() -> None:
    async with on_stage(ticking(50), limits=Limits(replay_updates=10)) as agent:
        frames = await streamed(agent, "ticking")
        task_id, head = frames[0].data["task"]["id"], len(frames)
        assert await agent.resume(task_id, head - 10) == frames[-10:]
        gone = await subscribed(agent, task_id, **{"Last-Event-ID": str(head - 11)})
        headers = {"Last-Event-ID": "0"}
        rpc = await agent.http.post("/", json=rpc_subscribe(task_id), headers=headers)
    why = (
        f"What followed update {head - 11} is not kept: the agent has {head - 9} to "
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


async def test_bytes_are_bounded_as_well_as_updates() -> None:
    limits = Limits(replay_bytes=4000)
    async with on_stage(ticking(50), limits=limits) as agent:
        frames = await streamed(agent, "ticking")
        task_id, head = frames[0].data["task"]["id"], len(frames)
        refusal = await subscribed(agent, task_id, **{"Last-Event-ID": "0"})
        oldest = int(refusal.json()["error"]["details"][0]["metadata"]["oldest"])
        assert await agent.resume(task_id, oldest - 1) == frames[oldest - 1 :]
    assert head - 20 < oldest < head


async def test_a_number_that_was_never_given_out_is_refused() -> None:
    async with on_stage() as agent:
        frames = await streamed(agent, "steady")
        task_id = frames[0].data["task"]["id"]
        ahead = await subscribed(agent, task_id, **{"Last-Event-ID": "999"})
    assert ahead.status_code == 410


@pytest.mark.parametrize("last", ["seven", "-1", "1.5", "k3-7", "9" * 16, "²"])
async def test_an_id_that_is_no_number_is_invalid(last: str) -> None:
    async with on_stage() as agent:
        task_id = await agent.start(skill="asking")
        await settled(agent, task_id, INPUT_REQUIRED)
        headers = {b"Last-Event-ID": last.encode()}
        path = f"/tasks/{task_id}:subscribe"
        answer = await agent.http.post(path, headers=headers)
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["reason"]) == (400, "INVALID_PARAMS")
    assert "is not an update's number" in error["message"]


async def test_a_task_that_is_not_there_cannot_be_resumed() -> None:
    async with on_stage() as agent:
        answer = await subscribed(agent, "nowhere", **{"Last-Event-ID": "3"})
    assert answer.json()["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"


async def test_a_finished_task_is_only_streamed_to_whoever_says_what_it_has() -> None:
    async with on_stage() as agent:
        frames = await streamed(agent, "steady")
        task_id = frames[0].data["task"]["id"]
        plain = await subscribed(agent, task_id)
        assert await agent.resume(task_id, frames[-1].id) == []
        rpc = await agent.rpc("SubscribeToTask", {"id": task_id})
    reason = plain.json()["error"]["details"][0]["reason"]
    assert (plain.status_code, reason) == (400, "UNSUPPORTED_OPERATION")
    assert rpc["error"]["code"] == -32004


async def test_a_browser_may_name_the_version_in_the_query() -> None:
    """An EventSource can set no header, but sends Last-Event-ID by itself."""
    async with on_stage() as agent:
        frames = await streamed(agent, "steady")
        path = f"/tasks/{frames[0].data['task']['id']}:subscribe"
        headers = {"A2A-Version": "", "Last-Event-ID": "3"}
        replayed = await agent.http.get(f"{path}?A2A-Version=1.0", headers=headers)
        refused = await agent.http.get(path, headers=headers)
    assert replayed.status_code == 200
    assert replayed.text.startswith("id: 4\r\n")
    assert refused.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


async def test_the_card_declares_how_far_back_a_stream_can_be_resumed() -> None:
    limits = Limits(replay_updates=77, replay_bytes=8888)
    async with on_stage(limits=limits) as agent:
        card = (await agent.http.get("/.well-known/agent-card.json")).json()
    declared = {each["uri"]: each for each in card["capabilities"]["extensions"]}
    assert declared[resume.URI]["params"] == {"maxUpdates": 77, "maxBytes": 8888}
    assert not declared[resume.URI].get("required", False)


async def test_many_readers_of_one_task_get_the_same_in_the_same_order() -> None:
    seen: list[list[Frame]] = []
    async with on_stage() as agent, anyio.create_task_group() as tasks:
        task_id = await agent.start(skill="asking")
        await settled(agent, task_id, INPUT_REQUIRED)

        async def follow() -> None:
            seen.append(await agent.resume(task_id, 0))

        for _ in range(10):
            tasks.start_soon(follow)
        await anyio.lowlevel.checkpoint()
        await agent.send("blue", taskId=task_id)
    assert len(seen) == 10
    assert all(frames == seen[0] for frames in seen)


async def test_a_stream_is_whole_although_its_task_is_forgotten_at_its_end() -> None:
    async with on_stage(limits=Limits(tasks=0)) as agent:
        frames = await streamed(agent, "steady")
        assert await agent.tasks() == []
    assert sequence_of(frames) == [*range(1, len(frames) + 1)]
    assert frames[-1].data["statusUpdate"]["status"]["state"] == COMPLETED
