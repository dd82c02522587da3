"""A user who follows the pages of the lesson in a clone of the project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from agents.stubs import STUBS
from tests.support.doc_examples import (
    Example,
    examples_in,
    files_in,
    replace_addresses,
    run_examples,
)
from tests.support.harness import ROOT, STOP_S, Process, Server, free_port
from tests.support.lesson import LESSON
from tests.support.stack import SEED_AGENTS
from tests.support.waiting import wait_until_sync

STEP_S = "0.1"
START_S = 30.0
FEED_S = {"-m 2 ": "-m 0.7 ", "-m 9 ": "-m 6 "}
"""Shorter times for feed commands: past events and new ones."""
CLONED = ("agents", "courtside", "dashboard", "docs", "host", "scripts", "requirements")
ANSWERS = "a\nb\nc\n"
AGENT_SLEEPS = "asyncio.sleep(seconds)"
CANCEL_AT = "Processing data..."


class Reader:
    """Reads pages one after the other. Ports and times differ from the pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # 8000: the host. 8001 to 8004: agents of the lesson. Others: the user's agents.
        self.ports = {port: free_port() for port in range(8000, 8012)}
        self.printed: dict[str, list[str]] = {}

    @property
    def host(self) -> str:
        return self._url(8000)

    def clone(self) -> None:
        """Copy the project. Its .venv is the one of the tests."""
        for name in CLONED:
            unused = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, self.folder / name, ignore=unused)
        for name in ("pyproject.toml", "Procfile"):
            shutil.copy(ROOT / name, self.folder)
        environment = self.folder / ".venv"
        environment.mkdir()
        for part in Path(sys.prefix).iterdir():
            (environment / part.name).symlink_to(part)
        # The scripts make a new .venv if these files are not as expected.
        for name, text in (("folder", str(self.folder)), ("installed", _installed())):
            (environment / name).unlink(missing_ok=True)
            (environment / name).write_text(f"{text}\n", encoding="utf-8")

    def start(self) -> Process:
        """Run the command of the first page for terminal 1."""
        (start,) = (e for e in examples_in(LESSON / "index.md") if e.terminal)
        started = Process(
            "start",
            [self.folder / start.command.strip()],
            folder=self.folder,
            cwd=self.folder,
            env=self._environ(),
            own_group=True,
        )
        started.start()
        line = f"Courtside is at {self.host}"
        wait_until_sync(lambda: line in started.output(), f"the line {line}", START_S)
        return started

    def build_agent(self) -> Server:
        """Do phase 2: copy the starter, complete it, and run the agent."""
        self._run("lesson", "start")
        agent = self.folder / "my-agent"
        for file in (LESSON / "code" / "finished").glob("*.*"):
            text = file.read_text(encoding="utf-8")
            faster = text.replace(AGENT_SLEEPS, "asyncio.sleep(seconds / 3)")
            assert (text != faster) == (file.name == "agent.py")
            (agent / file.name).write_text(faster, encoding="utf-8")
        server = Server(
            "learner",
            [sys.executable, agent / "agent.py", "--port", str(self.ports[8005])],
            folder=self.folder,
            url=self._url(8005),
            ready_path="/.well-known/agent-card.json",
            env={"PYTHONPATH": str(ROOT)},
        )
        server.start()
        server.wait_ready(server.ready_url)
        return server

    def answer_quiz(self) -> None:
        self._run("lesson", "quiz", answers=ANSWERS)

    def read(self, page: str) -> None:
        """Save its files and run its commands."""
        real = self._real()
        for name, text in files_in(LESSON / f"{page}.md").items():
            (self.folder / name).write_text(
                replace_addresses(text, real), encoding="utf-8"
            )
        self.printed[page] = run_examples(
            to_do(page), real, self.folder, **self._environ()
        )

    def click_cancel(self) -> threading.Thread:
        """Cancel the next task that shows CANCEL_AT, as a click on the page does."""
        clicker = threading.Thread(target=self._cancel, daemon=True)
        clicker.start()
        return clicker

    def _cancel(self) -> None:
        url = self._url(8005)
        with (
            httpx.Client(timeout=STOP_S, trust_env=False) as client,
            client.stream("GET", f"{url}/tasks/stream") as rows,
        ):
            for line in rows.iter_lines():
                if CANCEL_AT in line:
                    task = json.loads(line.removeprefix("data: "))["task_id"]
                    headers = {"A2A-Version": "1.0"}
                    httpx.post(
                        f"{url}/tasks/{task}:cancel", headers=headers, trust_env=False
                    ).raise_for_status()
                    return

    def _run(self, script: str, *arguments: str, answers: str = "") -> None:
        subprocess.run(
            [self.folder / "scripts" / script, *arguments],
            check=True,
            cwd=self.folder,
            input=answers,
            stdout=subprocess.DEVNULL,
            text=True,
            timeout=STOP_S,
        )

    def _url(self, port: int) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def _environ(self) -> dict[str, str]:
        ports = {"COURTSIDE": self.ports[8000]}
        for name, stub in STUBS.items():
            in_lesson = name in SEED_AGENTS
            ports[name.upper()] = self.ports[stub.port] if in_lesson else free_port()
        return {
            **{f"{name}_PORT": str(port) for name, port in ports.items()},
            "COURTSIDE_DATA_DIR": str(self.folder / "data"),
            "COURTSIDE_STEP_S": STEP_S,
        }

    def _real(self) -> dict[str, str]:
        """Map documented texts to their replacements in this test."""
        real = {"localhost:{PORT}": "127.0.0.1:{PORT}", "localhost:$": "127.0.0.1:$"}
        lesson = f" --url {self._url(8005)} --host {self.host}\n"
        for command in ("check", "reset"):
            real[f"scripts/lesson {command}\n"] = f"scripts/lesson {command}{lesson}"
        for documented, port in self.ports.items():
            real[f"localhost:{documented}"] = f"127.0.0.1:{port}"
            real[f"--port {documented}"] = f"--port {port}"
            real[f"PORT = {documented}"] = f"PORT = {port}"
            real[f"count {documented} "] = f"count {port} "
        return real | FEED_S


def to_do(page: str) -> list[Example]:
    """Return the commands of a page, without those that started at its beginning."""
    examples = examples_in(LESSON / f"{page}.md")
    return [example for example in examples if example.terminal != "terminal 1"]


def _installed() -> str:
    """Return what scripts/_setup writes into .venv/installed."""
    files = [ROOT / "pyproject.toml", *sorted((ROOT / "requirements").glob("*.txt"))]
    cksum = subprocess.run(
        ["cksum"],
        input=b"".join(file.read_bytes() for file in files),
        capture_output=True,
        check=True,
    )
    return f"dev {cksum.stdout.decode().strip()}"
