"""Tests an installed `courtside` for scripts/release-check: the demo and its page.

Prints what it tested. If something is wrong, exits with 1 and says what.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
START_S = 60.0
END_S = 3.0
START = {
    "message": {
        "messageId": "release-1",
        "role": "ROLE_USER",
        "parts": [{"text": "Find a slot"}],
    }
}


def main(courtside: str, folder: Path) -> None:
    # No variable of this shell, and no file of this clone, may help.
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "COURTSIDE_STEP_S": "0.2"}
    page = f"http://127.0.0.1:{free_port()}"
    version = subprocess.check_output([courtside, "--version"], text=True, env=env)
    argv = [courtside, "--demo", f"--port={page.rpartition(':')[2]}"]
    host = subprocess.Popen(argv, cwd=folder, env=env)
    try:
        wait_until(lambda: all_connected(page), START_S, "the agents")
        agents = json.loads(get(f"{page}/agents"))["agents"]
        ports = [int(agent["url"].rstrip("/").rpartition(":")[2]) for agent in agents]
        files = list(page_files(page))
        task = post(f"{page}/a2a/carly/message:send", START)["task"]["id"]
        rows = f"{page}/feed.ndjson?task={task}"
        wait_until(lambda: '"completed"' in get(rows), START_S, "Carly's answer")
        host.send_signal(signal.SIGINT)
        code = host.wait(END_S)
    finally:
        host.kill()
    left = [port for port in ports if is_taken(port)]
    if code or left:
        sys.exit(f"after Ctrl-C: exit code {code}, ports still in use: {left}")
    print(f"{version.strip()}: the demo works, and its page with {len(files)} files.")


def all_connected(page: str) -> bool:
    agents: dict[str, str] = json.loads(get(f"{page}/healthz"))["agents"]
    return set(agents.values()) == {"connected"}


def page_files(page: str) -> Iterator[str]:
    """Load the page and each file that it names. Raises OSError if one is missing."""
    text = get(f"{page}/")
    yield "/"
    for name in sorted(set(re.findall(r'(?:src|href)="([^":#]+)"', text))):
        if not get(urljoin(f"{page}/", name)):
            sys.exit(f"{page}/{name} is empty")
        yield name


def wait_until(condition: Callable[[], bool], deadline_s: float, what: str) -> None:
    end = time.monotonic() + deadline_s
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        if time.monotonic() > end:
            sys.exit(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(0.1)


def get(url: str) -> str:
    with NO_PROXY.open(url, timeout=5) as response:
        text: str = response.read().decode()
        return text


def post(url: str, message: object) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)  # noqa: S310
    with NO_PROXY.open(request, timeout=10) as response:
        body: dict[str, Any] = json.load(response)
        return body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
