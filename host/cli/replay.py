"""`courtside replay`: replays a recording as the feed of a host without agents."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import anyio
import click
from starlette.types import Receive, Scope, Send

from ..app import Host
from ..config.load import read
from ..feed.feed import Feed
from ..log.contract import Entry
from ..log.memory_log import MemoryLog
from ..log.recording import Recording, entries, inspect_recording
from ..model.timestamps import parse_timestamp
from ..observability.logfmt import Line
from ..server import exit_on_signal, listen, raise_file_limit
from ..server import serve as serve_host
from .options import drop_unset, settings_flags
from .serve import announce, log_to_stderr

logger = logging.getLogger("courtside.replay")

BATCH = 1_000
FEEDS = ("/feed", "/tasks/stream")


def parse_speed(text: str) -> float:
    """Raises click.BadParameter."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise click.BadParameter(f"{text!r} is not a speed: use 1, 0.5, 10 or max")
    return speed


@click.command(
    epilog="""\b
Examples:
  courtside replay run.ndjson --open
  courtside replay run.ndjson --speed 10
  courtside replay run.ndjson --speed max --port 9000

The replay begins when the first client (a page, or courtside tail) reads the feed. The
times are those of the recording. The ids are also those of the recording, unless some
events are missing from it. Nothing is saved."""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=parse_speed,
    default="1",
    metavar="N|max",
    help="Replay N times as fast; max: without pauses.  [1]",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@settings_flags
def replay(file: Path, speed: float, opens: bool, **flags: str | None) -> None:
    """Replay a recording in the page. Stop it with Ctrl-C."""
    exit_on_signal()
    log_to_stderr()
    raise_file_limit()
    recording = inspect_recording(file)
    config = read(drop_unset(flags), os.environ, Path.cwd())
    log_to_stderr(config.log_format)
    player = Player(recording, speed)
    with tempfile.TemporaryDirectory() as data_dir, listen(config) as listener:
        replay_config = replace(
            config,
            data_dir=Path(data_dir),
            agents={},
            plans={},
            file=None,
            keep_events=recording.size,
            keep_s=None,
        )
        host = Host(replay_config, MemoryLog(recording.first), also=player.play)
        on_ready = partial(announce, config, opens)
        serve_host(ReplayHost(host, player), listener, config.access, on_ready)


class Player:
    """Appends the events of a recording to a feed, after `begin`."""

    def __init__(self, recording: Recording, speed: float) -> None:
        self._recording = recording
        self._speed = speed
        self._has_begun = anyio.Event()

    def begin(self) -> None:
        self._has_begun.set()

    async def play(self, feed: Feed) -> None:
        """Keep the distances in time between the events, divided by the speed."""
        await self._has_begun.wait()
        logger.info(Line(replay="begins", events=self._recording.size))
        began, first = anyio.current_time(), None
        batch: list[Entry] = []
        for entry in entries(self._recording):
            at_s = _seconds(entry)
            first = at_s if first is None else first
            due = began + (at_s - first) / self._speed
            if batch and (due > anyio.current_time() or len(batch) >= BATCH):
                await feed.append(batch)
                batch = []
            await anyio.sleep_until(due)
            batch.append(entry)
        await feed.append(batch)
        logger.info(Line(replay="over", events=self._recording.size))


class ReplayHost:
    """A host that begins its replay when the feed is first read."""

    def __init__(self, host: Host, player: Player) -> None:
        self._host = host
        self._player = player

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") in FEEDS:
            self._player.begin()
        await self._host(scope, receive, send)

    def stop(self) -> None:
        self._host.stop()


def _seconds(entry: Entry) -> float:
    """Return when the host received the event; 0 if it does not say."""
    stamp = parse_timestamp(entry.event.received_at)
    return datetime.fromisoformat(f"{stamp[:-1]}+00:00").timestamp() if stamp else 0.0
