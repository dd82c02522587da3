"""Tests which tasks an agent keeps, and that a terminal state is final.

Covers agents/task_store.py, mostly over HTTP, and agents/limits.py.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from a2a.server.cluster.task_store import ConcurrentTaskModificationError
from a2a.server.cluster.version import TaskVersion
from a2a.server.context import ServerCallContext
from a2a.types.a2a_pb2 import Message, Part, Task, TaskState, TaskStatusUpdateEvent

from agents import resumable_stream
from agents.limits import Limits
from agents.steps import AgentSpec, Deliver, Progress, Request, Script, Skill
from agents.task_store import TaskStore
from tests.support.a2a_client import COMPLETED, FAILED, INPUT_REQUIRED, states, text_of
from tests.support.in_process_agent import InProcessAgent, run_agent, wait_for_state

CALLER = ServerCallContext()
MESSAGES = 2000
WORKING, DONE = TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED
ASKING = TaskState.TASK_STATE_INPUT_REQUIRED


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def create_store(
    limits: Limits = Limits(),  # noqa: B008 - frozen
    now: Callable[[], float] | None = None,
) -> TaskStore:
    return TaskStore(lambda task: None, limits, now or Clock())


async def save(
    store: TaskStore, task_id: str, state: TaskState, event: Any = None
) -> TaskVersion:
    stored = await store.get(task_id, CALLER)
    task = stored.task if stored else Task(id=task_id, context_id="c")
    task.status.state = state
    version = stored.version if stored else TaskVersion.MISSING
    return await store.save(
        task, event=event or task, prev=None, prev_version=version, context=CALLER
    )


async def find_kept(store: TaskStore, *task_ids: str) -> list[str]:
    return [each for each in task_ids if await store.get(each, CALLER) is not None]


async def count_replayable(store: TaskStore, task_id: str) -> int:
    """Return how many updates of a finished task can be replayed."""
    updates = store.find_updates(task_id)
    assert updates is not None
    try:
        return len([update async for update in updates.follow(0)])
    except resumable_stream.UpdatesGoneError:
        return 0


async def test_nothing_is_saved_after_a_terminal_state() -> None:
    store = create_store()
    await save(store, "a", WORKING)
    await save(store, "a", DONE)
    for late in (WORKING, TaskState.TASK_STATE_CANCELED, DONE):
        with pytest.raises(ConcurrentTaskModificationError):
            await save(store, "a", late)
    stored = await store.get("a", CALLER)
    assert stored is not None
    assert stored.task.status.state == DONE
    updates = store.find_updates("a")
    assert updates is not None
    assert updates.head == 2


async def test_changing_a_returned_task_does_not_change_the_store() -> None:
    store = create_store()
    await save(store, "a", WORKING)
    stored = await store.get("a", CALLER)
    assert stored is not None
    stored.task.status.state = DONE
    again = await store.get("a", CALLER)
    assert again is not None
    assert again.task.status.state == WORKING


async def test_oldest_finished_tasks_are_evicted_over_the_limit() -> None:
    store = create_store(Limits(tasks=2))
    await save(store, "open", WORKING)
    for name in ("a", "b", "c"):
        await save(store, name, DONE)
    assert await find_kept(store, "open", "a", "b", "c") == ["open", "b", "c"]


async def test_old_finished_tasks_are_evicted() -> None:
    clock = Clock()
    store = create_store(Limits(age_s=60), clock)
    for name in ("a", "b"):
        await save(store, name, DONE)
        clock.now += 40
    await store.evict()
    assert await find_kept(store, "a", "b") == ["b"]


async def test_replay_buffers_of_all_tasks_have_a_common_limit() -> None:
    store = create_store(Limits(total_replay_bytes=10_000))
    names = [str(number) for number in range(20)]
    for name in names:
        update = TaskStatusUpdateEvent(task_id=name, context_id="c" * 1000)
        update.status.state = DONE
        await save(store, name, WORKING)
        await save(store, name, DONE, update)
    assert await find_kept(store, *names) == names
    replayable = [name for name in names if await count_replayable(store, name)]
    assert replayable == names[-len(replayable) :]
    assert 5 < len(replayable) < 10


async def test_waiting_task_is_overdue_by_age_or_count() -> None:
    clock = Clock()
    store = create_store(Limits(tasks=2, age_s=60), clock)
    for name in ("a", "b", "c"):
        await save(store, name, ASKING)
        clock.now += 25
    assert list(store.find_overdue()) == ["a"]
    clock.now += 20
    assert list(store.find_overdue()) == ["a", "b"]
    await save(store, "a", WORKING)
    assert list(store.find_overdue()) == ["b"]


async def test_history_keeps_the_request_and_the_newest_messages() -> None:
    store = create_store(Limits(history=10))
    task = Task(id="a", context_id="c")
    for number in range(25):
        task.history.append(Message(parts=[Part(text=str(number))]))
        await store.save(
            task, event=task, prev=None, prev_version=TaskVersion(0), context=CALLER
        )
        assert len(task.history) <= 10
    texts = [message.parts[0].text for message in task.history]
    assert texts[0] == "0"
    assert texts[1:] == [str(number) for number in range(26 - len(texts), 25)]


async def test_task_is_hidden_from_other_callers() -> None:
    class Somebody:
        is_authenticated = True
        user_name = "somebody"

    store = create_store()
    await save(store, "a", WORKING)
    other = ServerCallContext.model_construct(user=Somebody(), state={}, tenant="")
    assert await store.get("a", other) is None


async def test_evicted_task_is_not_found() -> None:
    async with run_agent(limits=Limits(tasks=3)) as agent:
        ids = [(await agent.send()).json()["task"]["id"] for _ in range(5)]
        assert {task["id"] for task in await agent.tasks()} == set(ids[-3:])
        for task_id in ids[:2]:
            answer = await agent.http.get(f"/tasks/{task_id}")
            reason = answer.json()["error"]["details"][0]["reason"]
            assert (answer.status_code, reason) == (404, "TASK_NOT_FOUND")


async def test_subscriber_sees_an_unanswered_task_fail() -> None:
    async with run_agent(limits=Limits(tasks=1)) as agent:
        asked = [await agent.start(skill="asking") for _ in range(3)]
        for task_id in asked:
            await wait_for_state(agent, task_id, INPUT_REQUIRED)
        followed: list[Any] = []

        async def follow() -> None:
            followed.extend(await agent.subscribe(asked[0]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await anyio.lowlevel.checkpoint()
            await agent.app.state.sweep()
        assert states(followed) == [INPUT_REQUIRED, FAILED]
        # Two tasks failed and are finished now. The agent keeps only one of them.
        assert {task["id"] for task in await agent.tasks()} == set(asked[1:])
        task = await agent.get(asked[1])
        assert "Nobody answered in time" in text_of(task["status"])
        done = await agent.send("blue", taskId=asked[2])
        assert done.json()["task"]["status"]["state"] == COMPLETED


async def test_reply_during_the_sweep_is_accepted_or_refused() -> None:
    async with run_agent(limits=Limits(tasks=0)) as agent:
        for _ in range(50):
            task_id = await agent.start(skill="asking")
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(reply, agent, task_id)
                    tasks.start_soon(agent.app.state.sweep)


async def reply(agent: InProcessAgent, task_id: str) -> None:
    answer = await agent.send("blue", taskId=task_id)
    assert answer.status_code in (200, 400, 404), answer.text


async def test_evicted_tasks_leave_no_objects_behind() -> None:
    """Counts objects, which is exact. bench/agent_memory.py measures MB."""

    def count_objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    async with run_agent(limits=Limits(tasks=20)) as agent:
        for skill in ("steady", "replying", "failing"):
            for _ in range(30):
                await agent.send("hello", skill=skill)
        before = count_objects()
        for skill in ("steady", "replying", "failing"):
            for _ in range(60):
                await agent.send("hello", skill=skill)
        assert count_objects() - before < 300
        assert len(await agent.tasks()) == 20


async def test_response_to_a_long_task_has_a_limited_history() -> None:
    """With the whole history, each message would cost over five times as much."""

    async def talking(request: Request) -> Script:
        for tick in range(MESSAGES):
            yield Progress(0, f"Tick {tick}")
        yield Deliver("Done.")

    skill = Skill("talking", "talking", "A test.", talking, ("Go",), ("go",))
    spec = AgentSpec("scenario", "Scenario", "A test.", (skill,))
    async with run_agent(spec) as agent:
        task = (await agent.send("Go")).json()["task"]
    assert task["metadata"][resumable_stream.URI] == {"sequence": MESSAGES + 3}
    assert len(task["history"]) <= Limits().history
    assert f"Tick {MESSAGES - 1}" in json.dumps(task["history"][-2:])


async def test_blocking_send_returns_the_end_of_a_flooded_task() -> None:
    """The send reads from the SDK's queue, which holds 1,024 updates."""

    async def flood(request: Request) -> Script:
        for _ in range(1500):
            yield Progress(5)
        yield Deliver("Done.")

    skill = Skill("flood", "flood", "A test.", flood, ("Go",), ("go",))
    spec = AgentSpec("scenario", "Scenario", "A test.", (skill,))
    async with run_agent(spec) as agent:
        task = (await agent.send()).json()["task"]
    assert task["status"]["state"] == COMPLETED
