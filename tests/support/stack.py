"""Starts the stub agents and a host that follows them, on free ports."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.stubs import STUBS
from tests.support.harness import (
    READY_S,
    STOP_S,
    HarnessError,
    Server,
    free_port,
    get_url,
)
from tests.support.waiting import wait_until_sync

AGENTS = tuple(STUBS)
SEED_AGENTS = ("carly", "walter", "logan", "nancy")
"""The agents of the original lesson, which the built-in plan needs."""
STEP_S = 0.05


class Stack:
    """Stub agents and a host, with their own data folder.

    `extra_agents` maps names to URLs of agents that the test serves itself. `toml` is
    added to the generated courtside.toml, `host_toml` to its [host] table. `token` is
    the full-access token. `static` is a folder with the page's static files. Without
    it, the host serves those of this clone. `module` is run as the host.
    """

    def __init__(
        self,
        folder: Path,
        agents: Sequence[str] = AGENTS,
        *,
        step_s: float = STEP_S,
        log: str = "sqlite",
        with_host: bool = True,
        extra_agents: Mapping[str, str] | None = None,
        toml: str = "",
        host_toml: str = "",
        token: str = "",
        scheme: str = "http",
        static: Path | None = None,
        module: str = "host",
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.config = folder / "courtside.toml"
        self.agents = {name: _stub_server(name, folder, step_s) for name in agents}
        urls = {name: agent.url for name, agent in self.agents.items()}
        urls |= extra_agents or {}
        self.token = token
        if token:
            host_toml += f"\ntoken = {json.dumps(token)}\n"
        self._write_config(urls, f"{toml}\n[host]\n{host_toml}" if host_toml else toml)
        port = free_port()
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.host = Server(
            "host",
            [
                sys.executable,
                "-m",
                *(["tests.support.bundled_host", static] if static else [module]),
                f"--port={port}",
                f"--log={log}",
                f"--config={self.config}",
                f"--data-dir={self.data_dir}",
            ],
            folder=folder,
            url=self.url,
            ready_path="/healthz",
        )
        self._with_host = with_host

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        problems = self.stop()
        if problems and failure is None:
            raise HarnessError("\n".join(problems))

    def agent_url(self, name: str) -> str:
        return self.agents[name].url

    def start(self) -> None:
        """Start everything and wait until the host is connected to its agents."""
        servers = [*self.agents.values(), *([self.host] if self._with_host else [])]
        for server in servers:
            server.start()
        for server in servers:
            server.wait_ready(server.ready_url)
        if self._with_host:
            self.wait_connected(*self.agents)

    def stop(self) -> list[str]:
        """Stop everything. Return a description of each process that failed."""
        running = [p for p in (self.host, *self.agents.values()) if p.alive]
        for process in running:
            process.resume()
            process.child.terminate()
        problems = []
        deadline = time.monotonic() + STOP_S
        for process in running:
            try:
                code = process.wait_end(max(0.0, deadline - time.monotonic()))
            except HarnessError as error:
                problems.append(f"SIGTERM was not enough: {error}")
                process.kill()
                continue
            if code:
                problems.append(
                    f"{process.name} ended with exit code {code} after SIGTERM:\n"
                    f"{process.output()}"
                )
        return problems

    def connections(self) -> dict[str, str]:
        """Return the connection of each agent, as the host reports it now."""
        health = get_url(f"{self.url}/healthz", self.token).json()
        agents: dict[str, str] = health["agents"]
        return agents

    def wait_connected(self, *names: str, deadline_s: float = READY_S) -> None:
        """Wait until the host is connected to all agents in `names`."""

        def are_connected() -> bool:
            connections = self.connections()
            return all(connections.get(name) == "connected" for name in names)

        what = f"the host to connect to {', '.join(names)}"
        wait_until_sync(are_connected, what, deadline_s)

    def _write_config(self, urls: Mapping[str, str], toml: str) -> None:
        tables = [
            f"[agents.{name}]\nurl = {json.dumps(url)}\n" for name, url in urls.items()
        ]
        self.config.write_text("\n".join([*tables, toml]), encoding="utf-8")


def _stub_server(name: str, folder: Path, step_s: float) -> Server:
    port = free_port()
    return Server(
        name,
        [
            sys.executable,
            "-m",
            "agents",
            name,
            f"--port={port}",
            f"--step-s={step_s}",
        ],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
