"""Attacks of a hostile page on a user's host, in a real browser. All of them fail.

`evil` serves the page from an origin of its own: 127.0.0.1 on another port, localhost,
or evil.test, which the browser is told is this machine, as DNS rebinding would.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.support.chromium import chromium_flags, chromium_path
from tests.support.host_client import host_at
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

TOKEN, READ_TOKEN = "operator-0123456789", "reader-0123456789"
SEND = {
    "message": {"messageId": "evil", "role": "ROLE_USER", "parts": [{"text": "evil"}]}
}


class Evil(BaseHTTPRequestHandler):
    """An empty page at any path. Tests put the attack into it."""

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
    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Carly and a host without a token, as on a developer's machine."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly"], log="memory") as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same with a token."""
    folder = tmp_path_factory.mktemp("locked")
    settings = f'read_token = "{READ_TOKEN}"'
    with Stack(
        folder, ["carly"], log="memory", host_toml=settings, token=TOKEN
    ) as running:
        yield running


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """A browser for which evil.test is this machine, without its newest protections."""
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
    """A user's browser. Its console may have errors, because attacks cause them."""
    context = await browser.new_context()
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@pytest.fixture
async def evil(
    request: pytest.FixtureRequest, victim: BrowserContext, evil_port: int
) -> Page:
    """The open hostile page, of another site unless a test says otherwise."""
    page = await victim.new_page()
    name = getattr(request, "param", "localhost")
    await page.goto(f"http://{name}:{evil_port}/")
    return page


everywhere = pytest.mark.parametrize(
    "evil", ["127.0.0.1", "localhost", "evil.test"], indirect=True
)


async def nothing_was_done(url: str) -> None:
    async with host_at(url) as host:
        assert await host.history(after=0, kind="task") == []
        assert list((await host.get("/healthz"))["agents"]) == ["carly"]


WRITES = """
async ([url, body]) => {
  const tried = [];
  const paths = ['/a2a/carly/message:send', '/agents', '/agents:reload', '/logout'];
  const types = ['application/json', 'text/plain', 'application/x-www-form-urlencoded'];
  for (const path of paths)
    for (const mode of ['cors', 'no-cors'])
      for (const type of types)
        tried.push(await fetch(url + path, {
          method: 'POST', mode, body, credentials: 'include',
          headers: { 'content-type': type },
        }).then((answer) => answer.type + answer.status, (error) => error.name));
  navigator.sendBeacon(url + paths[0], new Blob([body], { type: 'text/plain' }));
  tried.push(await fetch(url + '/agents/carly', { method: 'DELETE' })
    .then((answer) => answer.status, (error) => error.name));
  return tried;
}
"""


@everywhere
async def test_cross_origin_writes_are_refused(evil: Page, stack: Stack) -> None:
    tried = await evil.evaluate(WRITES, [stack.url, json.dumps(SEND)])

    # The browser sends some of them, but the page cannot read the response.
    assert set(tried) <= {"TypeError", "opaque0"}
    await nothing_was_done(stack.url)


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
async def test_forms_of_other_pages_are_refused(
    evil: Page, stack: Stack, enctype: str
) -> None:
    url = f"{stack.url}/a2a/carly/message:send"
    async with evil.expect_navigation() as navigation:
        await evil.evaluate(FORM, [url, json.dumps(SEND), enctype])

    answer = await navigation.value
    assert answer
    assert answer.status == 403
    await nothing_was_done(stack.url)


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


@everywhere
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
async def test_the_page_is_never_shown_in_a_frame(
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
    # The attacker's own page, loaded before the name was rebound: the same origin.
    await page.route(f"{rebound}/", lambda route: route.fulfill(body="win a prize"))
    await page.goto(f"{rebound}/")

    tried = await page.evaluate(WRITES, [rebound, json.dumps(SEND)])

    assert set(tried) == {"basic400", 400}
    await nothing_was_done(stack.url)


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


async def test_other_sites_cannot_use_the_session(
    victim: BrowserContext, locked: Stack, evil_port: int
) -> None:
    ours = await victim.new_page()
    await ours.goto(locked.url)
    await sign_in(ours, TOKEN)
    await expect(ours.locator("#bar .link")).to_have_text("Live")
    sent: list[str] = []
    page = await victim.new_page()
    await page.goto(f"http://evil.test:{evil_port}/")

    async def note(response: Any) -> None:
        if response.url.startswith(locked.url):
            headers = await response.request.all_headers()
            sent.append(headers.get("cookie", ""))

    page.on("response", note)
    await page.evaluate(WRITES, [locked.url, json.dumps(SEND)])
    async with page.expect_navigation() as navigation:
        await page.evaluate(
            FORM, [f"{locked.url}/a2a/carly/message:send", "{}", "text/plain"]
        )

    answer = await navigation.value
    assert answer
    assert answer.status == 403
    assert sent
    assert set(sent) == {""}
    async with host_at(locked.url) as host:
        host.http.headers["authorization"] = f"Bearer {TOKEN}"
        assert await host.history(after=0, kind="task") == []


async def test_after_sign_in_the_page_holds_no_secret(
    victim: BrowserContext, locked: Stack
) -> None:
    page = await victim.new_page()
    await page.goto(f"{locked.url}/?agent=carly")
    await expect(page).to_have_url(re.compile(r"/login\?then="))
    await sign_in(page, "wrong")
    await expect(page.get_by_role("alert")).to_contain_text("Wrong token")
    await sign_in(page, TOKEN)
    await expect(page).to_have_url(f"{locked.url}/?agent=carly")
    await expect(page.locator("#bar .link")).to_have_text("Live")

    [cookie] = await victim.cookies()
    secrets = (TOKEN, cookie["value"])
    seen = await page.evaluate(
        """async () => [
          document.documentElement.outerHTML, document.cookie, location.href,
          JSON.stringify({ ...localStorage, ...sessionStorage }),
          ...performance.getEntriesByType('resource').map((entry) => entry.name),
          await (await fetch('feed.ndjson?after=0')).text(),
        ].join('\\n')"""
    )
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert not [secret for secret in secrets if secret in seen]

    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{locked.url}/login")
    assert await victim.cookies() == []


async def test_the_login_works_without_javascript(
    browser: Browser, locked: Stack
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{locked.url}/board")
    await sign_in(page, READ_TOKEN)
    await expect(page.get_by_role("heading", name="1 agent")).to_be_visible()
    await page.goto(f"{locked.url}/login")
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(f"{locked.url}/board")
    await expect(page).to_have_url(re.compile("/login"))
    await context.close()


async def test_a_reader_sees_no_controls_and_the_reason(
    victim: BrowserContext, locked: Stack
) -> None:
    page = await victim.new_page()
    await page.goto(locked.url)
    await sign_in(page, READ_TOKEN)
    screen = Screen(page)
    await expect(screen.link).to_have_text("Live")

    await expect(page.get_by_text("Read only")).to_be_visible()
    for name in ("Start", "Stop", "Add agent", "Ask several", "Retry now"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    refused = await page.evaluate(
        "async () => (await fetch('./agents:reload', { method: 'POST' })).status"
    )
    assert refused == 403
    await screen.save_screenshot("read-only")


async def test_an_ended_session_leads_to_the_login_and_back(
    victim: BrowserContext, locked: Stack
) -> None:
    page = await victim.new_page()
    await page.goto(f"{locked.url}/?agent=carly")
    await sign_in(page, TOKEN)
    screen = Screen(page)
    await expect(screen.link).to_have_text("Live")

    await victim.clear_cookies()
    locked.host.restart()

    await expect(screen.link).to_contain_text("Your session has ended")
    await screen.link.get_by_role("link", name="Sign in").click()
    await sign_in(page, TOKEN)
    await expect(page).to_have_url(f"{locked.url}/?agent=carly")
    await expect(screen.link).to_have_text("Live")
    locked.wait_connected("carly")


async def test_injected_scripts_do_not_run(
    victim: BrowserContext, stack: Stack
) -> None:
    """No inline script, no eval, no markup from strings, no other origin."""
    page = await victim.new_page()
    await page.goto(stack.url)
    await expect(page.locator("#bar .link")).to_have_text("Live")

    ran = await page.evaluate(
        """async () => {
          const ran = [];
          const attempt = async (name, run) => {
            try { if (await run()) ran.push(name); } catch { /* as it should be */ }
          };
          const wait = () => new Promise((resolve) => setTimeout(resolve, 100));
          await attempt('inline', async () => {
            const script = document.createElement('script');
            script.textContent = 'window.hit = 1';
            document.body.append(script);
            await wait();
            return window.hit;
          });
          await attempt('markup', () => {
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=hit=1>');
            return true;
          });
          // Not at once: what the debugger itself runs may.
          await attempt('eval', () => new Promise((resolve) => setTimeout(() => {
            try { resolve((0, eval)('1')); } catch { resolve(false); }
          })));
          await attempt('handler', async () => {
            document.body.setAttribute('onclick', 'window.hit = 2');
            document.body.click();
            return window.hit === 2;
          });
          await attempt('connect', () => fetch('http://localhost:1/').then(() => true));
          await attempt('javascript:', async () => {
            const link = Object.assign(document.createElement('a'),
              { href: 'javascript:window.hit = 3' });
            document.body.append(link);
            link.click();
            await wait();
            return window.hit === 3;
          });
          await attempt('frame', async () => {
            const frame = document.createElement('iframe');
            frame.src = 'data:text/html,x';
            const shown = new Promise((resolve) => {
              const refused = () => resolve(false);
              document.addEventListener('securitypolicyviolation', refused);
              setTimeout(() => resolve(true), 1000);
            });
            document.body.append(frame);
            return shown;
          });
          return ran;
        }"""
    )

    assert ran == []
