"""Runs nginx and Caddy with the configuration in docs/proxies.md.

`scripts/test` installs both where Debian packages are available.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.harness import ROOT, Server, free_port

PAGE = ROOT / "docs" / "proxies.md"
PREFIX = "/courtside"
# Debian installs nginx in /usr/sbin, which is not always in PATH.
PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))

# Debian's nginx.conf, without log files and user.
NGINX = """
user root root;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/courtside.conf;
}}
"""
CADDY = "{\n    admin off\n}\n"


def proxy(name: str, upstream: str, folder: Path) -> Server:
    """Create nginx or caddy in front of `upstream`. Skip the test without it."""
    binary = shutil.which(name, path=PLACES)
    if binary is None:
        pytest.skip(f"needs {name}: apt install {name}")
    port = free_port()
    config = documented_config(name, {"8080": str(port), "127.0.0.1:8000": upstream})
    return Server(
        name,
        [binary, *_arguments(name, config, folder)],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path=f"{PREFIX}/healthz",
        env={"HOME": str(folder)},
    )


def documented_config(name: str, addresses: dict[str, str]) -> str:
    """Return the configuration in docs/proxies.md, with other addresses."""
    language = {"caddy": "caddyfile"}.get(name, name)
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert len(found) == 1, f"{PAGE.name} has {len(found)} configurations of {name}"
    config: str = found[0]
    for documented, real in addresses.items():
        assert documented in config
        config = config.replace(documented, real)
    return config


def _arguments(name: str, config: str, folder: Path) -> list[str | Path]:
    if name == "caddy":
        (folder / "Caddyfile").write_text(CADDY + config)
        return ["run", "--config", folder / "Caddyfile"]
    (folder / "courtside.conf").write_text(config)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return ["-e", "stderr", "-c", folder / "nginx.conf", "-p", folder]
