"""Owns the promises of docs/security.md: its commands, its settings, its proxy."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from httpx_sse import aconnect_sse

from host.doors import Doors
from tests.documented import examples_in, printed_by, prints
from tests.harness import ROOT, Process, Stack, free_port, wait_until
from tests.host_client import client

PAGE = ROOT / "docs" / "security.md"
TOKEN = "operator-0123456789"
NGINX = """
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


def test_the_page_shows_what_its_commands_print(tmp_path: Path) -> None:
    examples = examples_in(PAGE)
    with Stack(tmp_path, ["carly"], log="memory", token=TOKEN) as stack:
        ours = {"http://localhost:8000": stack.url, "$COURTSIDE_TOKEN": TOKEN}
        printed = printed_by(examples, ours, tmp_path)

    assert examples
    for example, output in zip(examples, printed, strict=True):
        assert prints(example, output), f"{example.command}printed: {output}"


@pytest.mark.parametrize("name", Doors.__dataclass_fields__)
def test_the_page_tells_of_each_setting(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text("utf-8")


@pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx: apt install nginx")
async def test_behind_the_proxy_of_the_page_the_host_is_at_the_proxys_address(
    tmp_path: Path,
) -> None:
    text = PAGE.read_text("utf-8")
    location = text.partition("```nginx\n")[2].partition("```")[0]
    settings = 'trusted_proxies = ["127.0.0.1"]\nallowed_hosts = ["courtside.example"]'
    with Stack(
        tmp_path, ["carly"], log="memory", host_toml=settings, token=TOKEN
    ) as stack:
        port = free_port()
        config = tmp_path / "nginx.conf"
        here = location.replace("http://127.0.0.1:8000", stack.url)
        config.write_text(
            NGINX.format(folder=tmp_path, port=port, location=here), "utf-8"
        )
        nginx = Process("nginx", ["nginx", "-c", config], folder=tmp_path)
        nginx.start()
        try:
            await _used_by_its_name(f"http://127.0.0.1:{port}")
        finally:
            nginx.terminate()


async def _used_by_its_name(url: str) -> None:
    wait_until(lambda: _answers(url), 10, "nginx to pass something on")
    name = {"host": "courtside.example", "accept": "text/html"}
    origin = {"origin": "http://courtside.example"}
    evil = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    async with client(url) as http:
        login = await http.post(
            "/login", data={"token": TOKEN}, headers=name | origin | evil
        )
        assert login.status_code == 303, login.text
        assert "Secure" not in login.headers["set-cookie"]
        cookie = {"cookie": login.headers["set-cookie"].partition(";")[0]}

        path = "/a2a/carly/.well-known/agent-card.json"
        card = (await http.get(path, headers=name | cookie | evil)).json()
        urls = {one["url"] for one in card["supportedInterfaces"]}
        assert urls == {"http://courtside.example/a2a/carly"}

        foreign = await http.post(
            "/agents:reload", headers=name | cookie | {"origin": "http://evil.example"}
        )
        assert foreign.status_code == 403
        async with aconnect_sse(http, "GET", "/feed", headers=name | cookie) as source:
            events = (got async for got in source.aiter_sse() if got.data)
            assert (await anext(events)).event == "snapshot"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
