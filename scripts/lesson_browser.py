"""Runs a script on a page in headless Chromium, through the DevTools protocol.

It needs an installed Chromium or Chrome, and no other package than Courtside's own.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any, TypeAlias

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
ADDRESS = re.compile(rb"DevTools listening on ws://([^/]+)/")
LOADED = """new Promise((resolve) => {
    if (document.readyState === 'complete') resolve();
    else addEventListener('load', () => resolve());
})"""
START_S, SCRIPT_S, STOP_S = 30.0, 60.0, 10.0

Socket: TypeAlias = "aiohttp.ClientWebSocketResponse[bool]"


class BrowserError(Exception):
    """Chromium did not start, or the page did not run the script."""


def find_chromium() -> str | None:
    candidates = (os.environ.get("COURTSIDE_CHROMIUM", ""), *NAMES, MAC)
    return next(filter(None, map(shutil.which, candidates)), None)


async def run_on_page(chromium: str, url: str, script: str) -> Any:
    """Open `url` and return the value of `script`, an expression that may be a promise.

    Raises BrowserError.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await _start(chromium, profile)
        try:
            address = await asyncio.wait_for(_read_address(process), START_S)
            call = _open_and_run(address, url, script)
            return await asyncio.wait_for(call, SCRIPT_S)
        except (asyncio.TimeoutError, aiohttp.ClientError, OSError) as error:
            raise BrowserError(f"{chromium} failed: {error!r}") from error
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await _wait_end(process)


async def _start(chromium: str, profile: str) -> Process:
    flags = ["--headless=new", "--disable-gpu", "--no-first-run"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox does not work for root.
    flags += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    return await asyncio.create_subprocess_exec(chromium, *flags, stderr=PIPE)


async def _read_address(process: Process) -> str:
    """Return the host and port of DevTools, which Chromium prints."""
    if process.stderr is None:
        raise BrowserError("Chromium has no stderr")
    async for line in process.stderr:
        if found := ADDRESS.search(line):
            return found[1].decode()
    raise BrowserError("Chromium ended before it listened")


async def _wait_end(process: Process) -> None:
    # Reading on keeps Chromium from blocking on a full pipe.
    try:
        await asyncio.wait_for(process.communicate(), STOP_S)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()


async def _open_and_run(address: str, url: str, script: str) -> Any:
    async with aiohttp.ClientSession() as session:
        async with session.put(f"http://{address}/json/new?about:blank") as response:
            target: dict[str, str] = await response.json()
        async with session.ws_connect(target["webSocketDebuggerUrl"]) as socket:
            opened = await _call(socket, "Page.navigate", url=url)
            if "errorText" in opened:
                raise BrowserError(f"{url}: {opened['errorText']}")
            await _evaluate(socket, LOADED)
            return await _evaluate(socket, script)


async def _evaluate(socket: Socket, script: str) -> Any:
    answer = await _call(
        socket,
        "Runtime.evaluate",
        expression=script,
        awaitPromise=True,
        returnByValue=True,
    )
    if "exceptionDetails" in answer:
        raise BrowserError(f"the page's script failed: {answer['exceptionDetails']}")
    return answer["result"].get("value")


async def _call(socket: Socket, method: str, **params: Any) -> dict[str, Any]:
    """Call a method of DevTools."""
    await socket.send_json({"id": 1, "method": method, "params": params})
    message: dict[str, Any] = await socket.receive_json()
    if "error" in message:
        raise BrowserError(f"{method}: {message['error']}")
    result: dict[str, Any] = message["result"]
    return result
