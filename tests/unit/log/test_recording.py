"""Tests of host/log/recording.py and of the `import` and `replay` commands."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from host.cli.main import courtside
from host.cli.replay import Player
from host.errors import CourtsideError
from host.feed.feed import Feed
from host.log.memory_log import MemoryLog
from host.log.recording import RecordingError, entries, inspect_recording
from host.log.sqlite_log import SqliteLog
from tests.support.harness import ROOT

EVENTS = json.loads((ROOT / "tests/contract/events.json").read_text(encoding="utf-8"))


def write_recording(folder: Path, *events: dict[str, Any] | str) -> Path:
    path = folder / "run.ndjson"
    lines = (e if isinstance(e, str) else json.dumps(e) for e in events)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def row(event_id: int, second: float = 0, **fields: Any) -> dict[str, Any]:
    stamp = f"2026-11-25T12:00:{second:06.3f}Z"
    event: dict[str, Any] = next(e for e in EVENTS if e["kind"] == "task")
    return event | {"id": event_id, "received_at": stamp} | fields


def test_recording_returns_every_event_unchanged(tmp_path: Path) -> None:
    recording = inspect_recording(write_recording(tmp_path, *EVENTS, ""))

    bodies = [json.loads(entry.body) for entry in entries(recording)]

    assert recording.size == len(EVENTS)
    assert [
        {"id": e["id"], **body} for e, body in zip(EVENTS, bodies, strict=True)
    ] == (EVENTS)


def test_notices_of_a_recording_take_no_number_of_their_task(tmp_path: Path) -> None:
    notice = next(e for e in EVENTS if e["kind"] == "notice")
    stalled = row(3, stalled_since="2026-11-25T12:00:00.000Z")
    resumed = row(5, stalled_since=None)
    path = write_recording(
        tmp_path, row(1), notice | {"id": 2}, stalled, row(4), resumed, row(6)
    )

    found = [(e.source, e.version) for e in entries(inspect_recording(path))]

    task, own = "carly/5f0c", "notices:carly/5f0c"
    assert found == [(task, 1), (own, 1), (own, 2), (task, 2), (own, 3), (task, 3)]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "has no events"),
        ([row(1), "not JSON"], "line 2 is not a feed event"),
        ([row(1), {"id": 2, "kind": "later"}], "line 2 is not a feed event"),
        ([row(1), row(2, status=5)], "line 2 is not a feed event"),
        (
            [{k: v for k, v in row(1).items() if k != "id"}],
            "line 1 is not a feed event",
        ),
        ([row(0)], "line 1: 0 is not a valid event id"),
        ([row(2**64)], f"line 1: {2**64} is not a valid event id"),
        ([row(1), row(3), row(2)], "line 3: event 2 comes after 3"),
        ([row(7), row(7)], "line 2: event 7 comes after 7"),
    ],
)
def test_import_names_the_wrong_line_and_creates_nothing(
    tmp_path: Path, events: list[Any], why: str
) -> None:
    file = write_recording(tmp_path, *events)

    done = CliRunner().invoke(courtside, ["import", str(file)])

    assert isinstance(done.exception, RecordingError)
    assert str(done.exception).startswith(str(file))
    assert why in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["run.ndjson"]


@pytest.mark.parametrize(
    ("ids", "kept"), [([41, 42, 43], [41, 42, 43]), ([41, 43, 50], [1, 2, 3])]
)
async def test_import_keeps_ids_without_holes(
    tmp_path: Path, ids: list[int], kept: list[int]
) -> None:
    recording = inspect_recording(write_recording(tmp_path, *map(row, ids)))
    for log in (
        MemoryLog(recording.first),
        SqliteLog(tmp_path / "feed.db", recording.first),
    ):
        assert await log.append(list(entries(recording))) == kept
        assert (await log.bounds())[1:] == (kept[0], kept[-1])
        await log.close()

    again = SqliteLog(tmp_path / "feed.db")
    assert (await again.bounds())[1:] == (kept[0], kept[-1])
    await again.close()


async def test_replay_keeps_the_pauses_of_the_recording(tmp_path: Path) -> None:
    seconds = [0.0, 0.0, 4.0, 6.0, 20.0]
    events = [row(n, second) for n, second in enumerate(seconds, 1)]
    recording = inspect_recording(write_recording(tmp_path, *events))
    times: list[float] = []
    feed = Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        player = Player(recording, speed=50)
        player.begin()
        with feed.listeners.listen([], lambda _: times.append(anyio.current_time())):
            await player.play(feed)
            feed.close()

    gaps = [after - before for before, after in pairwise(times[: len(seconds)])]
    wanted = [(after - before) / 50 for before, after in pairwise(seconds)]
    for gap, least in zip(gaps, wanted, strict=True):
        assert gap > least - 0.05


async def test_replay_waits_for_the_first_reader(tmp_path: Path) -> None:
    player = Player(inspect_recording(write_recording(tmp_path, row(1))), speed=50)
    feed = Feed(MemoryLog())
    await feed.open()

    with anyio.move_on_after(0.05) as waiting:
        await player.play(feed)

    assert waiting.cancelled_caught
    assert feed.head == 0


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_error_names_an_invalid_speed(speed: str) -> None:
    done = CliRunner().invoke(courtside, ["replay", "run.ndjson", f"--speed={speed}"])

    assert done.exit_code == 2
    assert f"'{speed}' is not a speed: use 1, 0.5, 10 or max" in done.output


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CourtsideError, match="cannot be read: Is a directory"):
        inspect_recording(tmp_path)
