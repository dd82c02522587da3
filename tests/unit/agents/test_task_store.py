"""What an agent keeps of its tasks, and that its last word about one is the last.

agents/task_store.py, mostly through the wire; agents/limits.py.
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

from agents import resume
from agents.limits import Limits
from agents.steps import AgentSpec, Deliver, Progress, Request, Script, Skill
from agents.task_store import TaskStore
from tests.support.a2a_client import COMPLETED, FAILED, INPUT_REQUIRED, states, text_of
from tests.support.in_process_agent import OnStage, on_stage, settled

CALLER = ServerCallContext()
WORDS = 2000
WORKING, DONE = TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED
ASKING = TaskState.TASK_STATE_INPUT_REQUIRED


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_store(
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


async def kept_in(store: TaskStore, *task_ids: str) -> list[str]:
    return [each for each in task_ids if await store.get(each, CALLER) is not None]


async def replayed(store: TaskStore, task_id: str) -> int:
    """How many updates of a task that is over can be replayed."""
    updates = store.find_updates(task_id)
    assert updates is not None
    try:
        return len([update async for update in updates.follow(0)])
    except resume.UpdatesGoneError:
        return 0


async def test_nothing_is_saved_after_a_terminal_state() -> None:
    store = a_store()
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


async def test_what_is_read_can_be_changed_without_changing_what_is_kept() -> None:
    store = a_store()
    await save(store, "a", WORKING)
    stored = await store.get("a", CALLER)
    assert stored is not None
    stored.task.status.state = DONE
    again = await store.get("a", CALLER)
    assert again is not None
    assert again.task.status.state == WORKING


async def test_the_oldest_that_are_over_go_when_there_are_too_many() -> None:
    store = a_store(Limits(tasks=2))
    await save(store, "open", WORKING)
    for name in ("a", "b", "c"):
        await save(store, name, DONE)
    assert await kept_in(store, "open", "a", "b", "c") == ["open", "b", "c"]


async def test_what_has_been_over_for_too_long_goes() -> None:
    clock = Clock()
    store = a_store(Limits(age_s=60), clock)
    for name in ("a", "b"):
        await save(store, name, DONE)
        clock.now += 40
    await store.evict()
    assert await kept_in(store, "a", "b") == ["b"]


async def test_the_tapes_of_all_tasks_together_are_bounded() -> None:
    store = a_store(Limits(total_replay_bytes=10_000))
    names = [str(number) for number in range(20)]
    for name in names:
        update = TaskStatusUpdateEvent(task_id=name, context_id="c" * 1000)
        update.status.state = DONE
        await save(store, name, WORKING)
        await save(store, name, DONE, update)
    assert await kept_in(store, *names) == names
    replayable = [name for name in names if await replayed(store, name)]
    assert replayable == names[-len(replayable) :]
    assert 5 < len(replayable) < 10


async def test_what_waits_for_too_long_or_is_too_many_is_overdue() -> None:
    clock = Clock()
    store = a_store(Limits(tasks=2, age_s=60), clock)
    for name in ("a", "b", "c"):
        await save(store, name, ASKING)
        clock.now += 25
    assert list(store.find_overdue()) == ["a"]
    clock.now += 20
    assert list(store.find_overdue()) == ["a", "b"]
    await save(store, "a", WORKING)
    assert list(store.find_overdue()) == ["b"]


async def test_history_keeps_what_was_asked_and_the_newest() -> None:
    store = a_store(Limits(history=10))
    task = Task(id="a", context_id="c")
    for number in range(25):
        task.history.append(Message(parts=[Part(text=str(number))]))
        await store.save(
            task, event=task, prev=None, prev_version=TaskVersion(0), context=CALLER
        )
        assert len(task.history) <= 10
    told = [message.parts[0].text for message in task.history]
    assert told[0] == "0"
    assert told[1:] == [str(number) for number in range(26 - len(told), 25)]


async def test_another_caller_does_not_see_the_task() -> None:
    class Somebody:
        is_authenticated = True
        user_name = "somebody"

    store = a_store()
    await save(store, "a", WORKING)
    other = ServerCallContext.model_construct(user=Somebody(), state={}, tenant="")
    assert await store.get("a", other) is None


async def test_an_agent_forgets_finished_tasks_and_says_they_are_not_there() -> None:
    async with on_stage(limits=Limits(tasks=3)) as agent:
        ids = [(await agent.send()).json()["task"]["id"] for _ in range(5)]
        assert {task["id"] for task in await agent.tasks()} == set(ids[-3:])
        for task_id in ids[:2]:
            answer = await agent.http.get(f"/tasks/{task_id}")
            reason = answer.json()["error"]["details"][0]["reason"]
            assert (answer.status_code, reason) == (404, "TASK_NOT_FOUND")


async def test_a_question_that_nobody_answers_is_given_up_in_the_open() -> None:
    async with on_stage(limits=Limits(tasks=1)) as agent:
        asked = [await agent.start(skill="asking") for _ in range(3)]
        for task_id in asked:
            await settled(agent, task_id, INPUT_REQUIRED)
        followed: list[Any] = []

        async def follow() -> None:
            followed.extend(await agent.subscribe(asked[0]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await anyio.lowlevel.checkpoint()
            await agent.app.state.sweep()
        assert states(followed) == [INPUT_REQUIRED, FAILED]
        # What was given up is over, so of the two only one is kept.
        assert {task["id"] for task in await agent.tasks()} == set(asked[1:])
        task = await agent.get(asked[1])
        assert "Nobody answered in time" in text_of(task["status"])
        done = await agent.send("blue", taskId=asked[2])
        assert done.json()["task"]["status"]["state"] == COMPLETED


async def test_a_reply_that_crosses_the_giving_up_changes_nothing() -> None:
    async with on_stage(limits=Limits(tasks=0)) as agent:
        for _ in range(50):
            task_id = await agent.start(skill="asking")
            with anyio.fail_after(5):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(reply, agent, task_id)
                    tasks.start_soon(agent.app.state.sweep)


async def reply(agent: OnStage, task_id: str) -> None:
    answer = await agent.send("blue", taskId=task_id)
    assert answer.status_code in (200, 400, 404), answer.text


async def test_tasks_leave_nothing_behind_but_what_is_kept() -> None:
    """Counted in objects, which is exact; bench/agent_memory.py counts in MB."""

    def grown() -> int:
        gc.collect()
        return len(gc.get_objects())

    async with on_stage(limits=Limits(tasks=20)) as agent:
        for skill in ("steady", "replying", "failing"):
            for _ in range(30):
                await agent.send("hello", skill=skill)
        before = grown()
        for skill in ("steady", "replying", "failing"):
            for _ in range(60):
                await agent.send("hello", skill=skill)
        assert grown() - before < 300
        assert len(await agent.tasks()) == 20


async def test_a_long_talk_is_answered_with_its_newest_words_alone() -> None:
    """With the whole history each word costs five times as much, and more."""

    async def talking(request: Request) -> Script:
        for tick in range(WORDS):
            yield Progress(0, f"Tick {tick}")
        yield Deliver("Done.")

    skill = Skill("talking", "talking", "A test.", talking, ("Go",), ("go",))
    character = AgentSpec("tessa", "Tessa", "A test.", (skill,))
    async with on_stage(character) as agent:
        task = (await agent.send("Go")).json()["task"]
    assert task["metadata"][resume.URI] == {"sequence": WORDS + 3}
    assert len(task["history"]) <= Limits().history
    assert f"Tick {WORDS - 1}" in json.dumps(task["history"][-2:])


async def test_a_blocking_send_of_a_flood_returns_its_end() -> None:
    """It reads from the SDK's queue, which holds 1,024 updates."""

    async def flood(request: Request) -> Script:
        for _ in range(1500):
            yield Progress(5)
        yield Deliver("Done.")

    skill = Skill("flood", "flood", "A test.", flood, ("Go",), ("go",))
    character = AgentSpec("tessa", "Tessa", "A test.", (skill,))
    async with on_stage(character) as agent:
        task = (await agent.send()).json()["task"]
    assert task["status"]["state"] == COMPLETED
