"""Creates a log with thousands of finished tasks, before a host starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from host.model.event import ArtifactEvent, Event, TaskEvent

AGENTS = ("carly", "walter", "logan", "nancy")
MANY = 10_000
"""The number of tasks in a long log."""
BATCH = 5_000
LASTS_S = 2.0
APART_S = 0.3
ENDS = {7: "error", 11: "cancelled"}
"""Every 7th task ends as an error, every 11th is cancelled."""
RAIN = 97
"""The message of every 97th task contains the word rain."""


def format_timestamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def events(
    tasks: int, start: datetime, apart_s: float = APART_S
) -> Iterator[tuple[str, Event]]:
    """Yield five events for each task, as a host writes them."""
    for number in range(tasks):
        agent, task_id = AGENTS[number % 4], f"past-{number:05d}"
        said = "Rain at seven" if number % RAIN == 0 else f"Step of {number}"
        end = next((e for n, e in ENDS.items() if number % n == 0), "completed")
        for step, status in enumerate(("submitted", "running", "running", end)):
            at = start + timedelta(seconds=number * apart_s + step * LASTS_S / 3)
            yield (
                task_id,
                _task(agent, task_id, status, said, step, format_timestamp(at)),
            )
        yield (
            task_id,
            ArtifactEvent(
                agent=agent,
                task_id=task_id,
                context_id=f"context-{task_id}",
                artifact_id="a",
                name="answer",
                parts=[{"text": f"Answer {number}"}],
                append=False,
                last_chunk=True,
                received_at=format_timestamp(at),
            ),
        )


def _task(
    agent: str, task_id: str, status: str, said: str, step: int, at: str
) -> TaskEvent:
    return TaskEvent(
        agent=agent,
        task_id=task_id,
        context_id=f"context-{task_id}",
        status=status,
        state=f"TASK_STATE_{status.upper()}",
        progress=step * 33,
        message=said,
        at=at,
        received_at=at,
    )


async def write(data_dir: Path, tasks: int, ago_s: float = 3_600) -> datetime:
    """Write the log of a host with `tasks` tasks. Return the start of the first."""
    start = datetime.now(timezone.utc) - timedelta(seconds=ago_s)
    log = SqliteLog(data_dir / "feed.db")
    versions: dict[str, int] = {}
    batch: list[Entry] = []
    for task_id, event in events(tasks, start):
        source = f"{event.agent}/{task_id}"
        versions[source] = versions.get(source, 0) + 1
        batch.append(Entry.of(source, versions[source], event))
        if len(batch) >= BATCH:
            await log.append(batch)
            batch = []
    await log.append(batch)
    await log.close()
    return start
