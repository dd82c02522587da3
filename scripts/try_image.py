"""Runs the steps of Containerfile in a clean root, then tests the resulting image.

scripts/image-check runs it. Each stage is a copy of the root that debootstrap made. The
host runs in its own mount, process and network namespaces, with only the variables and
the user that Containerfile names.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_S = 30.0
END_S = 5.0
TOKEN = secrets.token_hex(16)
# 127.0.0.2 answers only if the host listens on all addresses, as `-p` requires.
PUBLISHED = "http://127.0.0.2:8000"
# What this machine needs to reach the package registries.
NETWORK = re.compile(r"(?i)(pip|npm|ssl|node_extra)_.*|.*_proxy")
IN_ROOT = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec "$@"'
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


class Stage:
    """The file system of one stage, and the settings that its instructions made."""

    def __init__(self, root: Path, base: Path) -> None:
        self.root = root
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.workdir = "/"
        self.user = "0"
        self.entrypoint: list[str] = []
        self.healthcheck: list[str] = []
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", base, root], check=True)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")

    def command(self, argv: list[str]) -> list[str]:
        """Return the command that runs `argv` in this root as its user."""
        enter = ["chroot", f"--userspec={self.user}:{self.user}", str(self.root)]
        go = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', self.workdir]
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*unshare, "sh", "-c", IN_ROOT, str(self.root), *enter, *go, *argv]

    def set_env(self, words: str) -> None:
        for word in shlex.split(words):
            name, _, value = word.partition("=")
            self.env[name] = value.replace("$PATH", self.env["PATH"])

    def path(self, name: str) -> Path:
        """Return the path outside the root of a path inside it."""
        return self.root / (Path(self.workdir) / name).relative_to("/")


def main(base: Path) -> None:
    stages: dict[str, Stage] = {}
    for keyword, rest in instructions(ROOT / "Containerfile"):
        print(f"{keyword} {rest}", flush=True)
        if keyword == "FROM":
            name = rest.partition(" AS ")[2] or "final"
            stage = stages[name] = Stage(base.parent / name, base)
        elif keyword == "RUN":
            run(stage, rest)
        elif keyword == "COPY":
            copy(stage, rest.split(), stages)
        elif keyword == "ENV":
            stage.set_env(rest)
        elif keyword == "WORKDIR":
            stage.workdir = rest
            stage.path(".").mkdir(parents=True, exist_ok=True)
        elif keyword == "USER":
            stage.user = rest
        elif keyword == "HEALTHCHECK":
            stage.healthcheck = json.loads(rest.partition(" CMD ")[2])
        elif keyword == "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        elif keyword not in ("VOLUME", "EXPOSE"):
            sys.exit(f"scripts/try_image.py does not know {keyword}: add it")
    enter_new_network()
    try_host(stages["final"])


def enter_new_network() -> None:
    """Move this process into a network of its own, so that port 8000 is free there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        sys.exit(f"no new network namespace: {os.strerror(ctypes.get_errno())}")
    with socket.socket() as any_socket:
        request = struct.pack("16sH14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return (keyword, rest) of each instruction; comments left out, lines joined."""
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    pairs = (line.partition(" ") for line in joined.splitlines() if line)
    return [(keyword, rest.strip()) for keyword, _, rest in pairs]


def run(stage: Stage, line: str) -> None:
    """Run a RUN line. Exits with its output if it fails."""
    network = {name: text for name, text in os.environ.items() if NETWORK.match(name)}
    certificates = network.get("SSL_CERT_FILE")
    if certificates and stage.user == "0":
        inside = stage.root / certificates.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(certificates, inside)
    done = subprocess.run(
        stage.command(["/bin/sh", "-c", line]),
        env=network | stage.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nRUN failed with exit code {done.returncode}")


def copy(stage: Stage, words: list[str], stages: dict[str, Stage]) -> None:
    """Copy files of another stage, or files that .dockerignore allows."""
    origin = words.pop(0).partition("=")[2] if words[0].startswith("--from=") else ""
    *names, target = words
    if origin:
        for name in names:
            source, to = stages[origin].path(name), stage.path(target)
            to.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", source, to], check=True)
        return
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    for name in allowed if names == ["."] else names:
        if name not in allowed:
            sys.exit(f"COPY {name}: .dockerignore does not allow it")
        source, to = ROOT / name, stage.path(target) / name
        if source.is_dir():
            # Named alone, a folder's contents go into the target.
            to = stage.path(target) if names == [name] else to
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, to, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(source, to)


def try_host(stage: Stage) -> None:
    """Start the image without and with a token, and check what a user relies on."""
    command = stage.command(stage.entrypoint)
    refused = subprocess.run(
        command, env=stage.env, capture_output=True, check=False, text=True, timeout=30
    )
    if refused.returncode == 0 or "token" not in refused.stderr:
        sys.exit(f"started without a token: {refused.stdout}{refused.stderr}")
    host = subprocess.Popen(command, env=stage.env | {"COURTSIDE_TOKEN": TOKEN})
    try:
        end = time.monotonic() + START_S
        while not is_healthy(stage):
            if host.poll() is not None or time.monotonic() > end:
                sys.exit(f"the health check failed for {START_S:.0f} s")
            time.sleep(0.5)
        found = {
            "/readyz": status("/readyz"),
            "/agents": status("/agents"),
            "/agents with the token": status("/agents", TOKEN),
        }
        if list(found.values()) != [200, 401, 200]:
            sys.exit(f"wrong status at {PUBLISHED}: {found}")
        if (stage.root / "data/feed.db").stat().st_uid != int(stage.user):
            sys.exit(f"/data/feed.db does not belong to user {stage.user}")
        # `unshare` is the parent of the process that a container engine would stop.
        (child,) = children(host.pid)
        os.kill(child, signal.SIGTERM)
        code = host.wait(END_S)
    finally:
        host.kill()
    if code:
        sys.exit(f"the host ended with exit code {code} after SIGTERM")
    print(f"The image works: it refuses to start without a token, {PUBLISHED} answers.")


def is_healthy(stage: Stage) -> bool:
    command = stage.command(stage.healthcheck)
    done = subprocess.run(command, env=stage.env, capture_output=True, check=False)
    return done.returncode == 0


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def status(path: str, token: str = "") -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(PUBLISHED + path, headers=headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            code: int = response.status
            return code
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
