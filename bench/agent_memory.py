"""`scripts/bench agent_memory`: measures the memory of one agent over 10,000 tasks.

Prints the resident memory and the number of kept tasks after each tenth of the tasks.
Each task is streamed to its end.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from pathlib import Path

import anyio
import httpx

READY_S, TASK_S = 20, 30
SKILLS = {
    "walter": ("weather_forecast", "weather_now"),
    "logan": ("venue_search",),
    "nancy": ("send_notification", "invite_everyone"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench agent_memory")
    parser.add_argument("--agent", choices=SKILLS, default="walter")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--keep", type=int, default=200)
    given = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    agent = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "agents",
            given.agent,
            f"--port={port}",
            "--step-s=0",
            f"--keep-tasks={given.keep}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        anyio.run(measure, agent.pid, port, given.agent, given.tasks)
    finally:
        agent.terminate()
        agent.wait()


async def measure(pid: int, port: int, name: str, tasks: int) -> None:
    headers = {"A2A-Version": "1.0"}
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=TASK_S, trust_env=False
    ) as http:
        await wait_ready(http)
        print(f"{name}: resident memory, with four tasks at a time\n")
        print(f"{'tasks':>8} {'MB':>8} {'kept':>6} {'tasks/s':>8}")
        for start in range(0, tasks, tasks // 10):
            began = time.monotonic()
            async with anyio.create_task_group() as group:
                for lane in range(4):
                    group.start_soon(run_tasks, http, name, tasks // 40, lane)
            done = start + tasks // 40 * 4
            per_s = tasks // 40 * 4 / (time.monotonic() - began)
            kept = (await http.get("/tasks?pageSize=1")).json()["totalSize"]
            print(f"{done:>8} {resident_mb(pid):>8.1f} {kept:>6} {per_s:>8.0f}")


async def wait_ready(http: httpx.AsyncClient) -> None:
    with anyio.fail_after(READY_S):
        while True:
            try:
                await http.get("/.well-known/agent-card.json")
                return
            except httpx.TransportError:
                await anyio.sleep(0.05)


async def run_tasks(http: httpx.AsyncClient, name: str, tasks: int, lane: int) -> None:
    for number in range(tasks):
        skill = SKILLS[name][number % len(SKILLS[name])]
        message = {
            "messageId": f"{lane}-{number}",
            "role": "ROLE_USER",
            "parts": [{"text": "Tennis tomorrow"}],
            "metadata": {"skillId": skill},
        }
        response = await http.post("/message:stream", json={"message": message})
        response.raise_for_status()


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, on Linux."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096 / 1e6
