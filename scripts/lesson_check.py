"""Checks the six success criteria of the lesson against the running agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from scripts.lesson_agent import TASK_S, Event, LearnerAgent, Missing
from scripts.lesson_browser import BrowserError, find_chromium, run_on_page

CALENDAR = "Find a slot for tomorrow"
COMPLEX = "Run a complex analysis"
ERROR = "Show me an error"
CANCELLED = "Task cancelled by user request"
RESUME_S = 10.0

WATCH_PAGE = """(async () => {
    const read = (id) => document.getElementById(id)?.innerText.trim() ?? '';
    const readBar = () =>
        Number(document.getElementById('progress-bar')?.getAttribute('aria-valuenow'));
    const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
    // The stream begins with rows of earlier tasks: wait until the bar stands still.
    let last;
    for (let still = 0; still < 20; still += 1) {
        if (readBar() !== last) still = 0;
        last = readBar();
        await pause();
    }
    const buttons = [...document.querySelectorAll('#task-controls button')];
    buttons.find((b) => b.textContent.trim() === 'Start Calendar Analysis')?.click();
    const bar = [];
    const end = Date.now() + 15_000;
    while (Date.now() < end && !(bar.length > 2 && bar.at(-1) === 100)) {
        if (readBar() !== bar.at(-1)) bar.push(readBar());
        await pause();
    }
    const all = document.body.innerText;
    return { bar, messages: read('status-messages'), results: read('results'), all };
})()"""


@dataclass(frozen=True)
class Lesson:
    """The learner's agent, the host, and the folder of the learner's files."""

    url: str
    host_url: str
    folder: Path

    @property
    def quiz_passed(self) -> Path:
        return self.folder / "quiz-passed.txt"


async def check_all(lesson: Lesson) -> bool:
    """Print each criterion with ✓ or ✗. Return whether all are met."""
    async with httpx.AsyncClient(
        base_url=lesson.url, trust_env=False, timeout=TASK_S
    ) as client:
        checks = Checks(lesson, LearnerAgent(client))
        criteria = (
            ("Working SSE endpoint with task streaming", checks.check_stream),
            ("Real-time progress in the browser", checks.check_progress),
            ("Cancellation and error handling", checks.check_cancel_and_error),
            ("Visual progress and status", checks.check_visible),
            ("Can explain SSE versus WebSocket", checks.check_quiz),
            ("Ready for orchestration", checks.check_host),
        )
        met = 0
        for title, check in criteria:
            try:
                note = await check()
            except Missing as error:
                print(f"✗ {title}\n    {error}", flush=True)
            except httpx.TransportError as error:
                print(f"✗ {title}\n    {_explain(error, lesson)}", flush=True)
            else:
                met += 1
                print(f"✓ {title}{f' ({note})' if note else ''}", flush=True)
    print(f"{met} of {len(criteria)} criteria are met.")
    return met == len(criteria)


class Checks:
    """The six checks. Each returns a note, and raises Missing if it is not met."""

    def __init__(self, lesson: Lesson, agent: LearnerAgent) -> None:
        self._lesson = lesson
        self._agent = agent
        self._page: dict[str, Any] | None = None

    async def check_stream(self) -> str:
        """The rows have progress and a result, and a reader can resume."""
        events = await self._agent.follow_task(CALENDAR)
        rows = [event.row for event in events]
        for row in rows:
            if not isinstance(row.get("progress"), int):
                raise Missing(f"A row has no number as progress: {row}. See step 2a.")
        running = {row["progress"] for row in rows if row.get("status") == "running"}
        if len(running) < 3:
            raise Missing(f"The progress was only {running}. Send more: step 1.")
        if rows[-1]["status"] != "completed" or not rows[-1].get("result"):
            raise Missing(f"The last row has no result: {rows[-1]}. See step 2a.")
        await self._check_resume(events)
        return ""

    async def _check_resume(self, events: list[Event]) -> None:
        """Reconnect after the second event, and expect the third."""
        if not all(event.id for event in events):
            raise Missing("The events have no ids, so nobody can resume: step 2a.")
        following: Event | None = None
        with anyio.move_on_after(RESUME_S):
            async with self._agent.open_stream(events[1].id) as stream:
                following = await anext(aiter(stream), None)
        if following != events[2]:
            raise Missing(
                f"A reader with Last-Event-ID: {events[1].id} does not get event "
                f"{events[2].id} next. See `read` in step 2a, and step 2c."
            )

    async def check_progress(self) -> str:
        page = await self._watch_page()
        if page is None:
            html = await self._agent.get_page()
            for part in ("new EventSource('/tasks/stream')", "updateProgressBar"):
                if part not in html:
                    raise Missing(f"The page has no `{part}`: step 3.")
            return "found no Chromium, so this checked only the page's HTML"
        if len([value for value in page["bar"] if 0 < value < 100]) < 2:
            raise Missing(
                f"After Start Calendar Analysis, the bar showed only {page['bar']} "
                "within 15 s. See steps 3a, 3b and 3d, and the browser's console."
            )
        return ""

    async def check_cancel_and_error(self) -> str:
        row = (await self._agent.follow_task(COMPLEX, cancel=True))[-1].row
        if row.get("status") != "cancelled" or row.get("message") != CANCELLED:
            raise Missing(f'Expected "{CANCELLED}", got {row}. See step 4a.')
        row = (await self._agent.follow_task(ERROR))[-1].row
        if row.get("status") != "error" or not row.get("message"):
            raise Missing(f'"{ERROR}" must fail with a message. Got {row}. See step 5.')
        return ""

    async def check_visible(self) -> str:
        page = await self._watch_page()
        if page is None:
            html = await self._agent.get_page()
            for name in ("progress-bar", "status-messages", "results"):
                if html.count(name) < 2:
                    raise Missing(f"The page's script does not use #{name}: step 3.")
            return "found no Chromium, so this checked only the page's HTML"
        for name, element in (("messages", "status-messages"), ("results", "results")):
            if not page[name]:
                raise Missing(f"#{element} stays empty: step 3c.")
        for word in ("undefined", "null", "NaN"):
            if word in page["all"]:
                raise Missing(f'The page shows "{word}". See step 3.')
        return ""

    async def check_quiz(self) -> str:
        if not self._lesson.quiz_passed.exists():
            raise Missing("Run `scripts/lesson quiz`, and answer its three questions.")
        return ""

    async def check_host(self) -> str:
        """The host follows the agent, and its feed has a completed task of it."""
        host, url = self._lesson.host_url, self._lesson.url
        try:
            names = find_learner_agents(host, {urlsplit(url).port})
            feed = "".join(_read_completed(host, name) for name in names)
        except httpx.HTTPError as error:
            raise Missing(
                f"The host at {host} does not answer ({error}). Run `scripts/start`."
            ) from error
        if not names:
            raise Missing(
                f"The host does not follow your agent. Add it: curl -s {host}/agents "
                f"-H 'Content-Type: application/json' -d '{{\"url\": \"{url}\"}}'"
            )
        if not feed:
            raise Missing(
                f"The host follows your agent as {names[0]}, but its feed has no "
                "completed task of it. Start one on your page, and check again."
            )
        return f"the host follows it as {names[0]}"

    async def _watch_page(self) -> dict[str, Any] | None:
        """Start a task on the page. Return what it showed, None without Chromium."""
        chromium = find_chromium()
        if self._page is None and chromium:
            await self._agent.get_page()  # Explains a missing agent better.
            try:
                self._page = await run_on_page(chromium, self._lesson.url, WATCH_PAGE)
            except BrowserError as error:
                raise Missing(f"The page could not be checked: {error}") from error
        return self._page


def find_learner_agents(host_url: str, ports: Collection[int | None]) -> list[str]:
    """Return the names of the agents at these ports of this machine, from the host."""
    response = httpx.get(f"{host_url}/agents", trust_env=False).raise_for_status()
    found = []
    for row in response.json()["agents"]:
        url = urlsplit(row["url"])
        if url.hostname in ("localhost", "127.0.0.1") and url.port in ports:
            found.append(row["agent"])
    return found


def _read_completed(host_url: str, name: str) -> str:
    query = {"agent": name, "kind": "task", "status": "completed", "limit": "1"}
    url = f"{host_url}/feed.ndjson"
    return httpx.get(url, params=query, trust_env=False).raise_for_status().text


def _explain(error: httpx.TransportError, lesson: Lesson) -> str:
    if isinstance(error, httpx.ConnectError):
        return (
            f"No agent answers at {lesson.url}. Run it in another terminal: "
            f".venv/bin/python {lesson.folder.name}/agent.py"
        )
    return f"The connection to {lesson.url} broke: {error!r}. Look at its output."
