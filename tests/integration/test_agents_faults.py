"""Faults that an agent simulates, as its clients see them.

agents/faults.py, through `python -m agents carly --fault …`.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.a2a_client import COMPLETED, Agent, agent_at, request, states, texts
from tests.support.harness import Process, Server, free_port
from tests.support.waiting import wait_until, wait_until_sync

ALL = "stall[=N], drop=N, duplicate=N, malformed=N, 401, slow-card=SECONDS, flood=N"
STARTING = "Starting calendar search..."
CHECKING = "Checking personal calendar..."
WORDS = [
    STARTING,
    CHECKING,
    "Querying team calendars...",
    "Finding optimal time slots...",
]

Start = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def carly(tmp_path: Path) -> Start:
    """Return a function that runs Carly with faults."""

    @contextmanager
    def start(*faults: str, step_s: float = 0.02, **env: str) -> Iterator[Server]:
        port = free_port()
        server = Server(
            "carly",
            [
                sys.executable,
                "-m",
                "agents",
                "carly",
                f"--port={port}",
                f"--step-s={step_s}",
                *(f"--fault={fault}" for fault in faults),
            ],
            folder=tmp_path,
            url=f"http://127.0.0.1:{port}",
            ready_path="/.well-known/agent-card.json",
            env=env,
        )
        server.start()
        # Not by her card, which some faults change.
        wait_until_sync(lambda: _accepts(port), "carly to listen", 30)
        yield server
        assert server.terminate() == 0

    return start


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Stream:
    """The frames of one event stream, and whether it was cut off."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.cut = False

    async def read(self, agent: Agent, path: str, body: Any = None) -> Stream:
        method = "POST" if body else "GET"
        text = b""
        try:
            async with agent.http.stream(method, path, json=body) as answer:
                async for chunk in answer.aiter_bytes():
                    text += chunk
        except httpx.RemoteProtocolError:
            self.cut = True
        frames = text.replace(b"\r\n", b"\n").split(b"\n\n")
        self.frames = [frame for frame in frames if b"data:" in frame]
        return self

    def events(self) -> list[Any]:
        """Return the events that can be parsed, as plain A2A for either binding."""
        events = []
        for frame in self.frames:
            data = frame[frame.index(b"data:") + 5 :]
            try:
                event = json.loads(data)
            except ValueError:
                continue
            events.append(event.get("result", event))
        return events


REST = ("/message:stream", request("calendar", skill="calendar_check"))
RPC = (
    "/",
    {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": REST[1]},
)
both_bindings = pytest.mark.parametrize(
    ("path", "body"), [REST, RPC], ids=["HTTP+JSON", "JSON-RPC"]
)


@both_bindings
async def test_drop_cuts_only_the_stream_after_n_updates(
    carly: Start, path: str, body: Any
) -> None:
    with carly("drop=3") as server:
        async with agent_at(server.url) as agent:
            stream = await Stream().read(agent, path, body)
            (task,) = await agent.tasks()

            async def completed() -> bool:
                now = await agent.get(task["id"])
                return bool(now["status"]["state"] == COMPLETED)

            assert stream.cut
            assert texts(stream.events()) == [STARTING, CHECKING]
            await wait_until(completed, "the task to continue without its stream", 30)
            again = await Stream().read(agent, path, body)
            assert len(again.frames) == 3
        assert f"event=fault fault=drop path={path}\n" in server.output()
        assert "Traceback" not in server.output()


async def test_drop_cuts_tasks_stream_too(carly: Start) -> None:
    with carly("drop=2") as server:
        async with agent_at(server.url) as agent:
            await agent.start("calendar")
            stream = await Stream().read(agent, "/tasks/stream")
    assert stream.cut
    assert len(stream.frames) == 2


@both_bindings
async def test_duplicate_sends_one_update_twice(
    carly: Start, path: str, body: Any
) -> None:
    with carly("duplicate=2") as server:
        async with agent_at(server.url) as agent:
            stream = await Stream().read(agent, path, body)
    assert not stream.cut
    assert texts(stream.events())[:5] == [STARTING, *WORDS]
    assert stream.frames[1] == stream.frames[2]


@both_bindings
async def test_malformed_breaks_only_one_update(
    carly: Start, path: str, body: Any
) -> None:
    with carly("malformed=3") as server:
        async with agent_at(server.url) as agent:
            stream = await Stream().read(agent, path, body)
    assert not stream.cut
    with pytest.raises(UnicodeDecodeError):
        stream.frames[2].decode()
    events = stream.events()
    assert len(events) == len(stream.frames) - 1
    assert texts(events)[:4] == [words for words in WORDS if words != CHECKING] + [
        texts(events)[-1]
    ]
    assert states(events)[-1] == COMPLETED


@both_bindings
async def test_stall_stops_a_stream_and_keeps_it_open(
    carly: Start, path: str, body: Any
) -> None:
    with carly("stall=2") as server:
        async with agent_at(server.url) as agent:

            async def completed() -> bool:
                states = [task["status"]["state"] for task in await agent.tasks()]
                return states == [COMPLETED]

            async with agent.http.stream("POST", path, json=body) as answer:
                chunks = answer.aiter_bytes()
                text = await anext(chunks)
                while text.count(b"data:") < 2:
                    text += await anext(chunks)
                await wait_until(
                    completed, "the task to continue without its stream", 30
                )
                began = time.monotonic()
                code = server.terminate(2.0)
                # The stream stays silent until the agent ends.
                with pytest.raises((httpx.RemoteProtocolError, StopAsyncIteration)):
                    text += await anext(chunks)
    assert text.count(b"data:") == 2
    assert (code, time.monotonic() - began < 2.0) == (0, True)
    assert f"event=fault fault=stall path={path}\n" in server.output()


async def test_stall_without_a_number_sends_one_update(carly: Start) -> None:
    with carly("stall") as server:
        async with agent_at(server.url) as agent:
            async with agent.http.stream("POST", REST[0], json=REST[1]) as answer:
                text = await anext(answer.aiter_bytes())
            # The agent still works after the client disconnects.
            assert (await agent.send("calendar")).json()["task"]["status"]
    assert text.count(b"data:") == 1


@pytest.mark.parametrize("path", ["/.well-known/agent-card.json", "/tasks", "/"])
async def test_401_refuses_every_request_with_the_reason(
    carly: Start, path: str
) -> None:
    with carly("401") as server:
        async with agent_at(server.url) as agent:
            answers = [await agent.http.get(path), await agent.send("calendar")]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
        assert "--fault 401" in answer.json()["error"]["message"]


async def test_slow_card_delays_only_the_card(carly: Start) -> None:
    async def took_s(agent: Agent, path: str) -> float:
        began = time.monotonic()
        assert (await agent.http.get(path)).status_code == 200
        return time.monotonic() - began

    with carly("slow-card=2") as server:
        async with agent_at(server.url) as agent:
            await agent.tasks()  # opens the connection
            assert await took_s(agent, "/.well-known/agent-card.json") >= 2
            assert await took_s(agent, "/tasks") < 2


async def test_flood_sends_n_updates_per_second(carly: Start) -> None:
    with carly("flood=400", step_s=0.25) as server:
        async with agent_at(server.url) as agent:
            began = time.monotonic()
            stream = await Stream().read(agent, *REST)
            took_s = time.monotonic() - began
    messages = [text for text in texts(stream.events()) if text]
    assert messages[:4] == WORDS
    # Four pauses of a quarter of a second, with 100 updates in each.
    assert texts(stream.events()).count("") == 400
    assert took_s >= 0.99


async def test_faults_can_be_combined(carly: Start) -> None:
    with carly("duplicate=1", "drop=2") as server:
        async with agent_at(server.url) as agent:
            stream = await Stream().read(agent, *REST)
    assert stream.cut
    assert len(stream.frames) == 3


async def test_log_warns_about_active_faults(carly: Start) -> None:
    faults = "drop=3,slow-card=0.5,401"
    with carly(COURTSIDE_FAULT=faults) as server:
        wait_until_sync(lambda: "event=listening" in server.output(), "carly's log", 30)
    warning = f"agent=carly level=WARNING event=faulty faults={faults}\n"
    assert warning in server.output()


async def test_no_fault_is_active_by_default(carly: Start) -> None:
    with carly() as server:
        async with agent_at(server.url) as agent:
            stream = await Stream().read(agent, *REST)
    assert "fault" not in server.output()
    assert not stream.cut
    assert texts(stream.events())[:4] == WORDS


async def test_flag_wins_over_the_environment(carly: Start) -> None:
    with carly("duplicate=1", COURTSIDE_FAULT="401") as server:
        async with agent_at(server.url) as agent:
            assert (await agent.http.get("/tasks")).status_code == 200


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_unknown_fault_lists_all_faults(how: str, tmp_path: Path) -> None:
    flags = ["--fault=dorp=3"] if how == "flag" else []
    env = {} if flags else {"COURTSIDE_FAULT": "drop=3, dorp=3"}
    argv = [sys.executable, "-m", "agents", "carly", *flags]
    process = Process("agent", argv, folder=tmp_path, env=env)
    process.start()
    assert process.wait_end() == 2
    assert f"unknown fault 'dorp'; use one of: {ALL}\n" in process.output()
