"""A hostile page cannot attack a user's host, in a real browser.

The hostile page has another origin: 127.0.0.1 on another port, localhost, or evil.test.
The browser resolves evil.test to this machine, as after DNS rebinding.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import TOKEN
from tests.browser.screen import Screen
from tests.support.chromium import chromium_flags, chromium_path
from tests.support.host_client import host_at
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

SEND = {
    "message": {"messageId": "evil", "role": "ROLE_USER", "parts": [{"text": "evil"}]}
}


class HostileSite(BaseHTTPRequestHandler):
    """Serves an empty page at any path. Tests run their attack in it."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>Win a prize</title><body></body>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def evil_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileSite)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> Iterator[Stack]:
    """Carly and a host without a token, as on a developer's machine."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly"], log="memory", static=static) as running:
        yield running


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """A browser that resolves evil.test to this machine, without new protections."""
    from playwright.async_api import async_playwright

    rebound = "--host-resolver-rules=MAP evil.test 127.0.0.1"
    older = chromium_flags(rebound, without=("LocalNetworkAccessChecks",))
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium_path(), args=older
        )
        yield running
        await running.close()


@pytest.fixture
async def victim(browser: Browser) -> AsyncIterator[BrowserContext]:
    """The user's browser context. Attacks may cause console errors in it."""
    context = await browser.new_context()
    context.set_default_timeout(30_000)
    yield context
    await context.close()


@pytest.fixture
async def evil(
    request: pytest.FixtureRequest, victim: BrowserContext, evil_port: int
) -> Page:
    """The open hostile page, on localhost by default."""
    page = await victim.new_page()
    name = getattr(request, "param", "localhost")
    await page.goto(f"http://{name}:{evil_port}/")
    return page


from_each_origin = pytest.mark.parametrize(
    "evil", ["127.0.0.1", "localhost", "evil.test"], indirect=True
)


async def expect_no_changes(url: str) -> None:
    async with host_at(url) as host:
        assert await host.history(after=0, kind="task") == []
        assert list((await host.get("/healthz"))["agents"]) == ["carly"]


WRITES = """
async ([url, body]) => {
  const results = [];
  const paths = ['/a2a/carly/message:send', '/agents', '/agents:reload', '/logout'];
  const types = ['application/json', 'text/plain', 'application/x-www-form-urlencoded'];
  for (const path of paths)
    for (const mode of ['cors', 'no-cors'])
      for (const type of types)
        results.push(await fetch(url + path, {
          method: 'POST', mode, body, credentials: 'include',
          headers: { 'content-type': type },
        }).then((answer) => answer.type + answer.status, (error) => error.name));
  navigator.sendBeacon(url + paths[0], new Blob([body], { type: 'text/plain' }));
  results.push(await fetch(url + '/agents/carly', { method: 'DELETE' })
    .then((answer) => answer.status, (error) => error.name));
  return results;
}
"""


@from_each_origin
async def test_cross_origin_writes_are_refused(evil: Page, stack: Stack) -> None:
    results = await evil.evaluate(WRITES, [stack.url, json.dumps(SEND)])

    # The browser sends some of them, but the page cannot read the response.
    assert set(results) <= {"TypeError", "opaque0"}
    await expect_no_changes(stack.url)


FORM = """
([url, body, enctype]) => {
  const form = document.createElement('form');
  Object.assign(form, { method: 'post', enctype, action: url });
  const field = document.createElement('input');
  // As text/plain this is JSON: {"message": …, "=": "="}.
  field.name = body.slice(0, -1) + ', "';
  field.value = '": "="}';
  form.append(field);
  document.body.append(form);
  form.submit();
}
"""


@pytest.mark.parametrize(
    "enctype",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"],
)
async def test_cross_origin_forms_are_refused(
    evil: Page, stack: Stack, enctype: str
) -> None:
    url = f"{stack.url}/a2a/carly/message:send"
    async with evil.expect_navigation() as navigation:
        await evil.evaluate(FORM, [url, json.dumps(SEND), enctype])

    answer = await navigation.value
    assert answer
    assert answer.status == 403
    await expect_no_changes(stack.url)


READS = """
async ([url]) => {
  const fetched = await Promise.all(
    ['/agents', '/feed.ndjson?limit=9', '/healthz', '/'].map((path) =>
      fetch(url + path, { credentials: 'include' })
        .then((answer) => answer.text(), () => 'refused')));
  const streamed = await new Promise((resolve) => {
    const source = new EventSource(url + '/feed', { withCredentials: true });
    const read = () => resolve('read');
    source.onopen = source.onmessage = read;
    source.addEventListener('snapshot', read);
    source.onerror = () => { source.close(); resolve('refused'); };
  });
  const put = (tag, more) => new Promise((resolve) => {
    const element = Object.assign(document.createElement(tag), more);
    element.onload = () => resolve('loaded');
    element.onerror = () => resolve('refused');
    document.body.append(element);
  });
  const embedded = await Promise.all([
    put('script', { src: url + '/feed.ndjson?limit=1' }),
    put('script', { src: url + '/static/main.js' }),
    put('img', { src: url + '/static/favicon.svg' }),
    put('link', { rel: 'stylesheet', href: url + '/static/style/main.css' }),
  ]);
  return [...fetched, streamed, ...embedded];
}
"""


@from_each_origin
async def test_other_origins_read_nothing_and_cannot_detect_the_host(
    evil: Page, stack: Stack
) -> None:
    assert set(await evil.evaluate(READS, [stack.url])) == {"refused"}


FRAME = """
([url]) => new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.onload = () => resolve();
  frame.src = url;
  document.body.append(frame);
})
"""


@pytest.mark.parametrize("path", ["/", "/board", "/login", "/agents", "/feed.ndjson"])
async def test_other_sites_cannot_frame_the_page(
    evil: Page, stack: Stack, path: str
) -> None:
    await evil.evaluate(FRAME, [stack.url + path])

    frame = evil.frames[1]
    assert "Courtside" not in await frame.content()
    assert "carly" not in await frame.content()


@pytest.mark.parametrize("path", ["/", "/agents", "/feed.ndjson", "/static/main.js"])
async def test_a_rebound_dns_name_reads_nothing(
    victim: BrowserContext, stack: Stack, path: str
) -> None:
    """The browser sees one origin. Only the Host header differs."""
    rebound = stack.url.replace("127.0.0.1", "evil.test")
    page = await victim.new_page()

    answer = await page.goto(rebound + path)

    assert answer
    assert answer.status == 400
    assert "carly" not in await page.content()


async def test_a_rebound_dns_name_writes_nothing(
    victim: BrowserContext, stack: Stack
) -> None:
    rebound = stack.url.replace("127.0.0.1", "evil.test")
    page = await victim.new_page()
    # The attacker's page was loaded before the rebinding. It has the same origin.
    await page.route(f"{rebound}/", lambda route: route.fulfill(body="win a prize"))
    await page.goto(f"{rebound}/")

    results = await page.evaluate(WRITES, [rebound, json.dumps(SEND)])

    assert set(results) == {"basic400", 400}
    await expect_no_changes(stack.url)


async def test_other_sites_cannot_use_the_session(
    victim: BrowserContext, locked_stack: Stack, evil_port: int
) -> None:
    screen = Screen(await victim.new_page())
    await screen.page.goto(locked_stack.url)
    await screen.sign_in(TOKEN)
    await expect(screen.link).to_have_text("Live")
    cookies: list[str] = []
    page = await victim.new_page()
    await page.goto(f"http://evil.test:{evil_port}/")

    async def note_cookie(response: Any) -> None:
        if response.url.startswith(locked_stack.url):
            headers = await response.request.all_headers()
            cookies.append(headers.get("cookie", ""))

    page.on("response", note_cookie)
    await page.evaluate(WRITES, [locked_stack.url, json.dumps(SEND)])
    async with page.expect_navigation() as navigation:
        await page.evaluate(
            FORM, [f"{locked_stack.url}/a2a/carly/message:send", "{}", "text/plain"]
        )

    answer = await navigation.value
    assert answer
    assert answer.status == 403
    assert cookies
    assert set(cookies) == {""}
    async with host_at(locked_stack.url) as host:
        host.http.headers["authorization"] = f"Bearer {TOKEN}"
        assert await host.history(after=0, kind="task") == []
