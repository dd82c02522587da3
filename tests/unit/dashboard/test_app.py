"""The dashboard's ASGI app: links, modules, caching, compression and safety headers."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from graphlib import TopologicalSorter
from pathlib import Path

import brotli
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from dashboard.app import HERE, create_app, find_modules
from hatch_build import bundle_page, find_esbuild

STATIC = HERE / "static"
MODULES = {
    path.relative_to(STATIC): path.read_text(encoding="utf-8")
    for path in STATIC.rglob("*.js")
    if "vendor" not in path.parts
}
# Each folder may import from itself and from the folders after it.
LAYERS = ("", "timeline", "view", "input", "client", "state", "vendor")
IMPORT = re.compile(r"^import [^;]*? from '(\.[^']*)';", re.MULTILINE)
needs_esbuild = pytest.mark.skipif(not find_esbuild(), reason="run npm ci")


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the page, mounted below a base path."""
    async with open_client(STATIC) as client:
        yield client


@asynccontextmanager
async def open_client(static: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[Mount("/base", create_app(static=static))])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test/base/"
    ) as client:
        yield client


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static files as the wheel has them."""
    folder = tmp_path_factory.mktemp("bundle")
    bundle_page(folder)
    return folder


def links_of(page: httpx.Response) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', page.text)


async def test_every_link_of_the_page_works_under_a_base_path(
    browser: httpx.AsyncClient,
) -> None:
    links = links_of(await browser.get(""))
    files = [link for link in links if link.startswith("static/")]
    assert {"static/main.js", "static/style/main.css"} <= set(files)
    assert not [link for link in links if link.startswith(("/", "http"))]
    for link in files:
        answer = await browser.get(link)
        assert answer.status_code == 200, link


@pytest.mark.parametrize("path", ["", "static/main.js", "static/nowhere.js"])
async def test_every_response_has_the_safety_headers(
    browser: httpx.AsyncClient, path: str
) -> None:
    headers = (await browser.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["", "static/main.js", "static/style/main.css", "static/favicon.svg"]
)
async def test_unchanged_files_are_revalidated_and_not_sent_again(
    browser: httpx.AsyncClient, path: str
) -> None:
    first = await browser.get(path)
    caching = first.headers["cache-control"]
    assert caching == ("max-age=86400" if "favicon" in path else "no-cache")
    again = await browser.get(path, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["cache-control"] == caching
    assert again.content == b""


async def test_the_page_has_no_inline_script_or_style(
    browser: httpx.AsyncClient,
) -> None:
    page = (await browser.get("")).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page)
    assert "<h1>Courtside</h1>" in page
    assert "<noscript>" in page


async def test_the_page_preloads_every_module(browser: httpx.AsyncClient) -> None:
    page = await browser.get("")
    preloaded = re.findall(
        r'<link rel="modulepreload" href="static/([^"]+)"', page.text
    )
    vendored = STATIC.rglob("vendor/**/*.js")

    assert {Path(name) for name in (*preloaded, "main.js")} == {
        *MODULES,
        *(path.relative_to(STATIC) for path in vendored),
    }
    assert '<script type="module" src="static/main.js"></script>' in page.text


def test_modules_import_only_from_their_own_and_lower_folders() -> None:
    for path, text in MODULES.items():
        for found in IMPORT.findall(text):
            target = (STATIC / path.parent / found).resolve().relative_to(STATIC)
            assert (STATIC / target).is_file(), f"{path} imports {found}"
            assert layer_of(path) <= layer_of(target), f"{path} imports {found}"


def layer_of(path: Path) -> int:
    return LAYERS.index(path.parts[0] if len(path.parts) > 1 else "")


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    imports = {
        STATIC / path: {
            (STATIC / path.parent / found).resolve() for found in IMPORT.findall(text)
        }
        for path, text in MODULES.items()
    }
    list(TopologicalSorter(imports).static_order())


@pytest.mark.parametrize("coding", ["br", "gzip", "identity"])
async def test_files_are_compressed_as_the_browser_accepts(
    browser: httpx.AsyncClient, coding: str
) -> None:
    accepted = {"br": "gzip, deflate, br", "gzip": "gzip, deflate"}.get(coding, coding)
    headers = {"accept-encoding": accepted}
    async with browser.stream("GET", "static/main.js", headers=headers) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers.get("content-encoding", "identity") == coding
    assert response.headers["content-type"].startswith("text/javascript")
    assert "accept-encoding" in response.headers["vary"].lower()
    decode = {"br": brotli.decompress, "gzip": gzip.decompress}.get(coding, bytes)
    assert decode(raw) == (STATIC / "main.js").read_bytes()


async def test_a_changed_file_is_sent_again(tmp_path: Path) -> None:
    shutil.copytree(STATIC, tmp_path, dirs_exist_ok=True)
    async with open_client(tmp_path) as client:
        first = await client.get("static/main.js")
        (tmp_path / "main.js").write_text("// changed")
        headers = {"if-none-match": first.headers["etag"]}
        again = await client.get("static/main.js", headers=headers)

    assert (again.status_code, again.text) == (200, "// changed")


@needs_esbuild
async def test_the_bundle_is_one_script_and_one_sheet_of_everything(
    bundle: Path,
) -> None:
    script = (bundle / "main.js").read_text(encoding="utf-8")
    sheet = (bundle / "style" / "main.css").read_text(encoding="utf-8")
    linked = (STATIC / "style" / "main.css").read_text(encoding="utf-8")

    assert find_modules(bundle) == []
    assert not re.search(r"\bimport\b *[{('\"]", script)
    assert "@license" in script
    assert sheet.startswith("@layer base,parts,page;")
    assert "@import" not in sheet
    for name in re.findall(r'@import url\("([\w-]+\.css)"\)', linked):
        written = (STATIC / "style" / name).read_text(encoding="utf-8")
        for opening in re.findall(r"^  (\.[\w-]+) \{$", written, re.MULTILINE):
            assert opening in sheet


@needs_esbuild
async def test_the_bundled_page_weighs_less_than_60_kb_with_headers(
    bundle: Path,
) -> None:
    async with open_client(bundle) as client:
        page = await client.get("")
        links = [link for link in links_of(page) if link.startswith("static/")]
        files = [page, *[await client.get(link) for link in dict.fromkeys(links)]]
    weights = [
        response.num_bytes_downloaded
        + sum(len(name) + len(value) + 4 for name, value in response.headers.raw)
        for response in files
    ]
    assert sum(weights) < 60_000


def test_vendored_files_match_their_listed_sums() -> None:
    check = HERE / "static" / "vendor" / "refresh.sh"
    done = subprocess.run([check, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_vendored_version_is_that_of_the_npm_dependency() -> None:
    package = json.loads((HERE.parent / "package.json").read_text(encoding="utf-8"))
    version = package["devDependencies"]["lit-html"]
    readme = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
    assert f"(https://www.npmjs.com/package/lit-html) | {version} |" in readme
    assert f'litHtmlVersions??=[]).push("{version}")' in (
        STATIC / "vendor" / "lit-html" / "lit-html.js"
    ).read_text(encoding="utf-8")
