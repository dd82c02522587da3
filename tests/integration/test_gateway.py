"""Through the host, every agent is plain A2A for a client without our extension.

The SDK's own client, with both bindings, and a real host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from a2a.client.client import Client
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from tests.support.a2a_client import agent_at
from tests.support.gateway import (
    BINDINGS,
    call,
    run_numbered_agents,
    sdk_client,
    state_of,
    user_request,
)
from tests.support.host_client import HostClient, client
from tests.support.limited_agents import serve_limited_agents
from tests.support.stack import AGENTS, Stack

RESULTS = {
    "carly": "Found 3 available slots for tomorrow!",
    "walter": "",
    "logan": "",
    "plain": "",
    "least": "five",
    "wordy": "five",
}
KINDS = ("plain", "resumable")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with ExitStack() as opened:
        others = opened.enter_context(serve_limited_agents(folder))
        others |= opened.enter_context(run_numbered_agents(folder, KINDS))
        running = opened.enter_context(Stack(folder, extra_agents=others))
        running.wait_connected(*others)
        yield running


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def send(a2a: Client, request: pb.SendMessageRequest) -> list[pb.StreamResponse]:
    return [update async for update in a2a.send_message(request)]


class TestStockClient:
    @pytest.mark.parametrize("name", [*AGENTS[:3], "plain", "least", "wordy"])
    async def test_starts_a_task_and_streams_it(
        self, stack: Stack, host: HostClient, binding: str, name: str
    ) -> None:
        async with sdk_client(f"{stack.url}/a2a/{name}", binding) as a2a:
            updates = await send(a2a, user_request("20"))

        first, last = updates[0], updates[-1]
        assert first.WhichOneof("payload") == "task"
        assert state_of(last) == "TASK_STATE_COMPLETED"
        others = [u.WhichOneof("payload") for u in updates[1:]]
        assert set(others) <= {"status_update", "artifact_update"}
        row = await host.row_with(first.task.id, "completed")
        assert (row["agent"], row["context_id"]) == (name, first.task.context_id)

    async def test_replies_to_a_question(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        async with sdk_client(f"{stack.url}/a2a/nancy", binding) as a2a:
            request = user_request("Invite everyone")
            request.message.metadata["skillId"] = "invite_everyone"
            asked = await send(a2a, request)
            task_id = asked[0].task.id
            reply = await send(a2a, user_request("Send", task_id=task_id))

        assert state_of(asked[-1]) == "TASK_STATE_INPUT_REQUIRED"
        assert state_of(reply[0]) not in ("", "TASK_STATE_INPUT_REQUIRED")
        assert reply[0].task.id == task_id
        assert state_of(reply[-1]) == "TASK_STATE_COMPLETED"
        rows = await host.rows(task_id)
        assert rows[-1]["result"].startswith("Sent 4 invitations")

    async def test_cancels_a_task(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        task_id = await host.start("nancy", skill="invite_everyone")
        await host.row_with(task_id, "input-required")
        async with sdk_client(f"{stack.url}/a2a/nancy", binding) as a2a:
            task = await a2a.cancel_task(pb.CancelTaskRequest(id=task_id))

        assert task.status.state == pb.TASK_STATE_CANCELED
        await host.row_with(task_id, "cancelled")

    async def test_gets_the_agents_own_task(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")
        async with sdk_client(f"{stack.url}/a2a/carly", binding) as a2a:
            task = await a2a.get_task(pb.GetTaskRequest(id=task_id))
            short = await a2a.get_task(pb.GetTaskRequest(id=task_id, history_length=1))
        async with agent_at(stack.agent_url("carly")) as carly:
            direct = await carly.get(task_id)

        assert [m.message_id for m in task.history] == [
            message["messageId"] for message in direct["history"]
        ]
        assert task.artifacts[0].parts[0].text == RESULTS["carly"]
        assert list(short.history) == list(task.history)[-1:]

    async def test_lists_tasks_by_page_and_by_state(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        started = [await host.start("logan") for _ in range(3)]
        for task_id in started:
            await host.row_with(task_id, "completed")
        seen: list[str] = []
        async with sdk_client(f"{stack.url}/a2a/logan", binding) as a2a:
            request = pb.ListTasksRequest(page_size=2)
            while True:
                page = await a2a.list_tasks(request)
                seen += [task.id for task in page.tasks]
                assert len(page.tasks) <= 2
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            none = await a2a.list_tasks(
                pb.ListTasksRequest(status=pb.TASK_STATE_WORKING)
            )

        assert len(seen) == len(set(seen)) == page.total_size
        assert set(seen[:3]) == set(started), "the newest first"
        assert not none.tasks

    async def test_waits_for_the_result_without_streaming(
        self, stack: Stack, binding: str
    ) -> None:
        async with sdk_client(f"{stack.url}/a2a/carly", binding) as a2a:
            a2a._config.streaming = False  # type: ignore[attr-defined]
            (answer,) = await send(a2a, user_request("Find a slot for a game tomorrow"))

        assert state_of(answer) == "TASK_STATE_COMPLETED"
        assert answer.task.artifacts[0].parts[0].text == RESULTS["carly"]

    async def test_gets_the_message_of_an_agent_without_tasks(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        async with sdk_client(f"{stack.url}/a2a/whole", binding) as a2a:
            (answer,) = await send(a2a, user_request("talk"))
            a2a._config.streaming = False  # type: ignore[attr-defined]
            (same,) = await send(a2a, user_request("talk"))

        assert answer.message.parts[0].text == same.message.parts[0].text == "Hello."
        events = await host.history(agent="whole", kind="message")
        assert answer.message.message_id in [e["message_id"] for e in events]

    async def test_subscribes_to_a_task_of_another_client(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        task_id = await host.start("plain", "40")
        async with sdk_client(f"{stack.url}/a2a/plain", binding) as a2a:
            request = pb.SubscribeToTaskRequest(id=task_id)
            updates = [update async for update in a2a.subscribe(request)]

        assert updates[0].task.id == task_id
        assert state_of(updates[-1]) == "TASK_STATE_COMPLETED"

    async def test_gets_the_agents_errors_unchanged(
        self, stack: Stack, host: HostClient, binding: str
    ) -> None:
        task_id = await host.start("carly")
        await host.row_with(task_id, "completed")
        async with sdk_client(f"{stack.url}/a2a/carly", binding) as a2a:
            with pytest.raises(TaskNotFoundError):
                await a2a.get_task(pb.GetTaskRequest(id="nothing"))
            with pytest.raises(TaskNotFoundError):
                await a2a.cancel_task(pb.CancelTaskRequest(id="nothing"))
            with pytest.raises(TaskNotFoundError):
                async for _ in a2a.subscribe(pb.SubscribeToTaskRequest(id="no")):
                    pass
            with pytest.raises(TaskNotFoundError):
                await send(a2a, user_request("hello", task_id="nothing"))
            with pytest.raises(TaskNotCancelableError):
                await a2a.cancel_task(pb.CancelTaskRequest(id=task_id))
            with pytest.raises(UnsupportedOperationError):
                await send(a2a, user_request("And now?", task_id=task_id))
            with pytest.raises(UnsupportedOperationError):
                async for _ in a2a.subscribe(pb.SubscribeToTaskRequest(id=task_id)):
                    pass


class TestCard:
    async def test_is_the_agents_with_the_hosts_interfaces(self, stack: Stack) -> None:
        async with client() as http:
            own = (await http.get(stack.agents["carly"].ready_url)).json()
            url = f"{stack.url}/a2a/carly"
            card = (await http.get(f"{url}/.well-known/agent-card.json")).json()

        assert [
            (i["url"], i["protocolBinding"]) for i in card["supportedInterfaces"]
        ] == [(url, "JSONRPC"), (url, "HTTP+JSON")]
        for key in ("name", "description", "skills", "version"):
            assert card[key] == own[key]
        uris = [e["uri"] for e in card["capabilities"]["extensions"]]
        assert len(uris) == len(set(uris))
        assert {e["uri"] for e in own["capabilities"]["extensions"]} <= set(uris)

    async def test_says_that_every_agent_streams_and_is_resumable(
        self, stack: Stack
    ) -> None:
        async with client(stack.url) as http:
            for name in ("plain", "least"):
                path = f"/a2a/{name}/.well-known/agent-card.json"
                can = (await http.get(path)).json()["capabilities"]
                assert can["streaming"]
                assert "resumable-stream" in can["extensions"][-1]["uri"]

    async def test_ignores_headers_of_untrusted_proxies(self, stack: Stack) -> None:
        headers = {
            "x-forwarded-proto": "https",
            "x-forwarded-host": "agents.example",
            "x-forwarded-prefix": "/team/courtside",
        }
        async with client(stack.url) as http:
            path = "/a2a/carly/.well-known/agent-card.json"
            card = (await http.get(path, headers=headers)).json()

        urls = {i["url"] for i in card["supportedInterfaces"]}
        assert urls == {f"{stack.url}/a2a/carly"}


async def test_unsupported_operations_get_a2a_errors(
    stack: Stack, host: HostClient
) -> None:
    for method, code in {
        "GetExtendedAgentCard": -32004,
        "CreateTaskPushNotificationConfig": -32003,
        "message/send": -32601,
    }.items():
        answer = await call(stack.url, "carly", method, {})
        assert answer["error"]["code"] == code, answer
        assert answer["error"]["message"]
    assert (await host.http.get("/a2a/carly/extendedAgentCard")).status_code == 400
    path = "/a2a/carly/tasks/t/pushNotificationConfigs"
    assert (await host.http.get(path)).status_code == 400
