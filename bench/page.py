"""`scripts/bench page`: measures the page with a busy feed, in headless Chromium.

Prints tables: loads, frames, CPU time of the main thread, heap, weight. `4 ×` is
Chromium's CPU throttling. The CPU time is measured without throttling, and depends
little on other load of the machine.

The page is bundled as in the wheel. `--plain` measures the modules of a clone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import anyio
from playwright.async_api import (
    CDPSession,
    Page,
    async_playwright,
)

from bench.page_setup import Setup
from bench.table import print_table
from hatch_build import bundle_page
from tests.support.chromium import chromium_flags, chromium_path
from tests.support.harness import Server, free_port

THROTTLED = 4
RATE = 500
TASKS = 10_000
PARTS = ("loads", "frames", "heap", "weight")
HEAP_POINTS = 10

# These run in the page. At the start of a frame, the previous frame is visible.
WAIT_FOR_EVENT = """head => new Promise((done) => {
  const check = () => {
    const newest = Number(document.querySelector('.row')?.dataset.id);
    if (newest >= head) done(performance.now());
    else requestAnimationFrame(check);
  };
  requestAnimationFrame(check);
})"""
WAIT_FOR_TASKS = """tasks => new Promise((done) => {
  const check = () => {
    const text = document.querySelector('.loaded')?.textContent ?? '';
    const idle = !text.includes('loading');
    if (idle && parseInt(text.replace(/,/g, '')) >= tasks) done(text);
    else requestAnimationFrame(check);
  };
  requestAnimationFrame(check);
})"""
FRAME_TIMES = """ms => new Promise((done) => {
  const times = [];
  const record = (now) => {
    times.push(now);
    if (now - times[0] < ms) requestAnimationFrame(record);
    else done(times);
  };
  requestAnimationFrame(record);
})"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench page")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument(
        "--seconds", type=float, default=10, help="seconds of each frame measurement"
    )
    parser.add_argument(
        "--events", type=int, default=900_000, help="events for the heap measurement"
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="measure the modules of a clone, not the bundle of the wheel",
    )
    anyio.run(measure, parser.parse_args())


async def measure(given: argparse.Namespace) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder:
        command = [sys.executable, "-m", "bench.page_host", f"--port={port}"]
        if not given.plain:
            static = Path(folder, "static")
            bundle_page(static)
            command.append(f"--static={static}")
        host = Server(
            "page_host",
            [*command, f"--data-dir={folder}"],
            folder=Path(folder),
            url=url,
            ready_path="/healthz",
        )
        host.restart()
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=chromium_path(), args=chromium_flags()
                )
                setup = Setup(url, browser)
                await setup.play(events=10_000)
                if "weight" in given.only:
                    await weigh(setup)
                if "loads" in given.only:
                    await time_loads(setup, given.loads)
                if "frames" in given.only:
                    await time_frames(setup, given.seconds)
                if "heap" in given.only:
                    await measure_heap(setup, given.events)
                await browser.close()
        finally:
            host.terminate()


async def time_loads(setup: Setup, loads: int) -> None:
    """Measure the time to the first paint and to the first live event."""
    await setup.play(rate=RATE)
    rows = []
    for throttled in (1, THROTTLED):
        paints, events, works = [], [], []
        for _ in range(loads):
            async with setup.page(throttled) as (page, chromium):
                head = await setup.play()
                await page.add_init_script(
                    f"window.eventIsVisible = ({WAIT_FOR_EVENT})({head + 1})"
                )
                await page.goto(setup.url)
                events.append(await page.evaluate("window.eventIsVisible"))
                works.append((await _work(chromium))["TaskDuration"] * 1_000)
                paints.append(await page.evaluate(FIRST_PAINT))
        found = map(_median_and_max, (paints, events, works))
        rows.append([_speed(throttled), *found])
    name = f"{loads} loads at {RATE} events/s"
    print_table(
        [name, "first paint", "first live event", "main thread until then"], rows
    )


async def time_frames(setup: Setup, seconds: float) -> None:
    """Measure 60 open tasks, then 10,000 finished tasks more, then the timeline."""
    frames, work = [], []

    async def watch(name: str, page: Page, chromium: CDPSession) -> None:
        await chromium.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLED})
        await page.evaluate(FRAME_TIMES, 2_000)
        times = await page.evaluate(FRAME_TIMES, seconds * 1_000)
        frames.append([name, *_smoothness(times)])
        await chromium.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        await page.evaluate(FRAME_TIMES, 1_000)
        before = await _work(chromium)
        drawn = len(await page.evaluate(FRAME_TIMES, seconds * 1_000))
        after = await _work(chromium)
        each = [(after[name] - before[name]) * 5_000 / seconds for name in before]
        a_frame = each[-1] * seconds / 5 / drawn
        work.append([name, *(f"{ms:.0f} ms" for ms in each), f"{a_frame:.1f} ms"])

    await setup.play(rate=RATE)
    async with setup.page() as (page, chromium):
        await setup.open(page)
        await watch("60 open tasks", page, chromium)
        head = await setup.play(finished=TASKS)
        await page.evaluate(WAIT_FOR_EVENT, head)
        await watch(f"… with {TASKS:,} finished", page, chromium)
    async with setup.page() as (page, chromium):
        await setup.open(page, "/?tab=timeline")
        loaded = await page.evaluate(WAIT_FOR_TASKS, TASKS)
        await watch(f"Timeline, {loaded}", page, chromium)
    await setup.play(rate=0)
    print_table([f"{RATE} events/s, {THROTTLED} ×", *SMOOTHNESS], frames)
    print_table([f"{RATE} events/s, CPU in 5 s", *WORK], work)


async def measure_heap(setup: Setup, events: int) -> None:
    """Replay half an hour of feed. Print the heap after each tenth."""
    rows = []
    await setup.play(rate=0)
    async with setup.page() as (page, chromium):
        await setup.open(page)
        began = anyio.current_time()
        for played in accumulate([events // HEAP_POINTS] * HEAP_POINTS):
            head = await setup.play(events=events // HEAP_POINTS)
            await page.evaluate(WAIT_FOR_EVENT, head)
            took_s = anyio.current_time() - began
            await chromium.send("HeapProfiler.collectGarbage")
            heap = await chromium.send("Runtime.getHeapUsage")
            dom = await chromium.send("Memory.getDOMCounters")
            rows.append(
                [
                    f"{played:,}",
                    f"{heap['usedSize'] / 1e6:.1f} MB",
                    f"{dom['nodes']:,}",
                    f"{dom['jsEventListeners']:,}",
                    f"{played / took_s:,.0f}/s",
                ]
            )
    print_table(["events", "JS heap after GC", "nodes", "listeners", "so far"], rows)


async def weigh(setup: Setup) -> None:
    """Print the bytes transferred for the page's files, with headers, without data."""
    weights: dict[str, float] = {}
    names: dict[str, str] = {}
    async with setup.page() as (page, chromium):

        def on_request(event: dict[str, Any]) -> None:
            path = urlsplit(event["request"]["url"]).path
            if path == "/" or path.startswith("/static/"):
                names[event["requestId"]] = path

        def on_finished(event: dict[str, Any]) -> None:
            if name := names.get(event["requestId"]):
                weights[name] = weights.get(name, 0) + event["encodedDataLength"]

        chromium.on("Network.requestWillBeSent", on_request)
        chromium.on("Network.loadingFinished", on_finished)
        await chromium.send("Network.enable")
        await setup.open(page)
        await page.locator(".row").first.wait_for()
        at_first = sum(weights.values())
        await page.locator(".row .id button").first.click()
        await page.locator(".drawer h2").wait_for()
        await page.keyboard.press("Escape")
        for tab, what in (("Timeline", "#lanes"), ("History", "#results")):
            await page.get_by_role("link", name=tab).click()
            await page.locator(what).wait_for()
        await page.wait_for_load_state("load")
    rows = [[name, _kb(weight)] for name, weight in sorted(weights.items())]
    rows += [["before any click", _kb(at_first)], ["total", _kb(sum(weights.values()))]]
    print_table(["transferred", "kB"], rows)


SMOOTHNESS = ("fps, median second", "worst second", "frame p95", "p99", "longest")
WORK = ("script", "style", "layout", "main thread, total", "… per frame")


def _smoothness(times: Sequence[float]) -> list[str]:
    """Return the row's figures. `times` are the start times of the frames in ms."""
    lengths = sorted(b - a for a, b in pairwise(times))
    whole_s = int((times[-1] - times[0]) / 1_000)
    each_s = [
        sum(s <= (time - times[0]) / 1_000 < s + 1 for time in times)
        for s in range(whole_s)
    ]
    quantiles = (lengths[int(len(lengths) * part)] for part in (0.95, 0.99))
    return [
        f"{median(each_s):.0f}",
        f"{min(each_s)}",
        *(f"{length:.0f} ms" for length in (*quantiles, lengths[-1])),
    ]


async def _work(chromium: CDPSession) -> dict[str, float]:
    """Return the CPU seconds of the main thread so far."""
    response = await chromium.send("Performance.getMetrics")
    found = {metric["name"]: metric["value"] for metric in response["metrics"]}
    names = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration", "TaskDuration")
    return {name: found[name] for name in names}


def _speed(throttled: int) -> str:
    return "full speed" if throttled == 1 else f"throttled {throttled} ×"


def _median_and_max(found_ms: Sequence[float]) -> str:
    return f"{median(found_ms):.0f} ms, max. {max(found_ms):.0f} ms"


def _kb(weight: float) -> str:
    return f"{weight / 1_000:.1f}"
