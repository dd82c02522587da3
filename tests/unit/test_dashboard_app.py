"""Owns the promises of the dashboard's ASGI app: links, caching and safety headers."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import brotli
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from dashboard.app import HERE, create_app
from dashboard.bundle import BundleError, modules, without_comments

TYPESCRIPT = HERE.parent / "node_modules" / "typescript"
OURS = {
    path.relative_to(HERE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(HERE.rglob("static/**/*.js"))
    if "vendor" not in path.parts
}
BOARD = (HERE / "static" / "style" / "board.css").read_text(encoding="utf-8")


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """What a browser asks, of the page mounted below a base path."""
    app = Starlette(routes=[Mount("/base", create_app())])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test/base/"
    ) as client:
        yield client


async def test_every_link_of_the_page_works_under_a_base_path(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("")
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    files = [link for link in links if link.startswith("static/")]
    assert {"static/all.js", "static/all.css"} <= set(files)
    assert not [link for link in links if link.startswith(("/", "http"))]
    for link in files:
        answer = await browser.get(link)
        assert answer.status_code == 200, link


@pytest.mark.parametrize("path", ["", "static/all.js", "static/nowhere.js"])
async def test_every_answer_carries_the_safety_headers(
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
    "path", ["", "static/all.js", "static/all.css", "static/main.js"]
)
async def test_what_did_not_change_is_asked_for_but_not_sent_again(
    browser: httpx.AsyncClient, path: str
) -> None:
    first = await browser.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = await browser.get(path, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["cache-control"] == "no-cache"
    assert again.content == b""


async def test_the_page_has_no_inline_script_or_style(
    browser: httpx.AsyncClient,
) -> None:
    page = (await browser.get("")).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page)
    assert "<h1>Courtside</h1>" in page
    assert "<noscript>" in page


SAME_PROGRAM = """
import ts from 'typescript';
import { readFileSync } from 'node:fs';
const bare = (text) => ts.transpileModule(text, {
  compilerOptions: { removeComments: true, target: 'esnext', module: 'esnext' },
}).outputText.replace(/^[ \\t]+/gm, '');
const both = JSON.parse(readFileSync(0, 'utf8'));
const changed = both.filter(([, before, after]) => bare(before) !== bare(after));
console.log(changed.map(([name]) => name).join());
"""


@pytest.mark.skipif(not TYPESCRIPT.exists(), reason="needs typescript: run npm ci")
def test_modules_are_sent_without_their_comments_and_are_the_same_programs() -> None:
    both = []
    for name, written in OURS.items():
        sent = without_comments(written)
        assert len(sent) < len(written)
        assert sent.count("\n") == written.count("\n")
        assert "@param" not in sent
        both.append((name, written, sent))
    command = ["node", "--input-type=module", "-e", SAME_PROGRAM]
    done = subprocess.run(
        command, input=json.dumps(both), text=True, capture_output=True, cwd=HERE.parent
    )
    assert (done.stdout, done.stderr) == ("\n", "")


async def test_one_file_has_every_module_and_one_has_every_sheet(
    browser: httpx.AsyncClient,
) -> None:
    script, style = [await browser.get(f"static/all.{kind}") for kind in ("js", "css")]
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")
    assert script.text.count("=> {") > len(OURS)
    assert style.text.startswith("@layer base, parts, page;")
    for written in OURS.values():
        for name in re.findall(r"^export (?:const|function) (\w+)", written, re.M):
            assert name in script.text
    sheets = [
        path.read_text(encoding="utf-8") for path in HERE.glob("static/style/*.css")
    ]
    for opening in re.findall(r"^  (\.[\w-]+) \{$", "\n".join(sheets), re.M):
        assert opening in style.text or opening in BOARD


def test_a_bundle_runs_each_module_once_after_those_that_it_imports(
    tmp_path: Path,
) -> None:
    (tmp_path / "main.js").write_text(
        "import { a, twice as double } from './a.js';\n"
        "import { Said, words } from './words.js';\n"
        "console.log(a, double(2), words(), new Said().text);\n"
    )
    (tmp_path / "a.js").write_text(
        "import { words } from './words.js';\n"
        "export { words } from './words.js';\n"
        "const own = 1;\nexport const a = own + words().length;\n"
        "export function twice(n) { return 2 * n; }\n"
    )
    (tmp_path / "words.js").write_text(
        "console.log('once');\nexport class Said { text = 'own'; }\nconst own = 'w';\n"
        "export function words() { return own; }\n"
    )
    run = subprocess.run(
        ["node", "--input-type=module"],
        input=modules(tmp_path).body,
        capture_output=True,
    )
    assert (run.stdout, run.stderr) == (b"once\n2 4 w own\n", b"")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import './main.js';", "import './main.js'"),
        ("export default 1;", "export default 1"),
        ("import { a } from './main.js';\n", "imports itself"),
    ],
)
def test_what_no_bundle_can_have_is_said(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "main.js").write_text("import { a } from './a.js';\n")
    (tmp_path / "a.js").write_text(text)
    with pytest.raises(BundleError, match=re.escape(why)):
        modules(tmp_path)


@pytest.mark.parametrize("coding", ["br", "gzip", "identity"])
async def test_a_bundle_comes_as_the_browser_wants_it(
    browser: httpx.AsyncClient, coding: str
) -> None:
    wanted = {"br": "gzip, deflate, br", "gzip": "gzip, deflate"}.get(coding, coding)
    plain = await browser.get("static/all.js", headers={"accept-encoding": "identity"})
    headers = {"accept-encoding": wanted}
    async with browser.stream("GET", "static/all.js", headers=headers) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers.get("content-encoding", "identity") == coding
    assert "accept-encoding" in answer.headers["vary"].lower()
    decode = {"br": brotli.decompress, "gzip": gzip.decompress}.get(coding, bytes)
    assert decode(raw) == plain.content


async def test_the_whole_page_weighs_less_than_60_kb_compressed_headers_and_all(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("")
    links = re.findall(r'(?:href|src)="(static/[^"]+)"', page.text)
    files = [page, *[await browser.get(link) for link in dict.fromkeys(links)]]
    weights = [
        answer.num_bytes_downloaded
        + sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
        for answer in files
    ]
    assert sum(weights) < 60_000


def test_the_vendored_modules_are_the_ones_that_are_listed() -> None:
    check = HERE / "static" / "vendor" / "refresh.sh"
    done = subprocess.run([check, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
