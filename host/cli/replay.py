"""Owns `courtside replay`: a host without agents, whose feed comes from a saved one.

server.py serves it like any other, to the page and to every reader.
"""

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
from ..config.settings import LOG_FORMAT
from ..feed.feed import Feed
from ..log.contract import Entry
from ..log.memory import MemoryLog
from ..log.recording import Recording, entries, inspect_recording
from ..model.timestamps import parse_timestamp
from ..observability.logfmt import Line
from ..server import allow_sockets, listen
from ..server import serve as serve_host
from .options import given, with_settings
from .serve import announce, log_to_stderr

logger = logging.getLogger("courtside.replay")

BATCH = 1_000
READS = ("/feed", "/tasks/stream")


def speed_of(text: str) -> float:
    """How many times as fast as it was. Raises click.BadParameter."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise click.BadParameter(f"{text!r} is no speed: use 1, 0.5, 10 or max")
    return speed


@click.command(
    epilog="""\b
Examples:
  courtside replay run.ndjson --open
  courtside replay run.ndjson --speed 10
  courtside replay run.ndjson --speed max --port 9000

It begins when somebody reads the feed, a page or courtside tail. Times are those of the
recording, and so are ids, where it leaves no event out. Nothing is kept."""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=speed_of,
    default="1",
    metavar="N|max",
    help="So many times as fast as it was.  [1]",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@with_settings
def replay(file: Path, speed: float, opens: bool, **flags: str | None) -> None:
    """Show a saved feed on a page, as it happened. Ends with Ctrl-C."""
    log_to_stderr(LOG_FORMAT.default)
    allow_sockets()
    recording = inspect_recording(file)
    config = read(given(flags), os.environ, Path.cwd())
    log_to_stderr(config.log_format)
    player = Player(recording, speed)
    with tempfile.TemporaryDirectory() as nothing, listen(config) as listener:
        alone = replace(
            config,
            data_dir=Path(nothing),
            agents={},
            plans={},
            file=None,
            keep_events=recording.size,
            keep_s=None,
        )
        host = Host(alone, MemoryLog(recording.first), also=player.play)
        told = partial(announce, config, opens)
        serve_host(Watched(host, player), listener, config.access, told)


class Player:
    """Appends the events of a recording to a feed; `begin` lets it."""

    def __init__(self, recording: Recording, speed: float) -> None:
        self._recording = recording
        self._speed = speed
        self._wanted = anyio.Event()

    def begin(self) -> None:
        self._wanted.set()

    async def play(self, feed: Feed) -> None:
        """Each event as long after the first as it was then, divided by the speed."""
        await self._wanted.wait()
        logger.info(Line(replay="begins", events=self._recording.size))
        began, first = anyio.current_time(), None
        waiting: list[Entry] = []
        for entry in entries(self._recording):
            at_s = _seconds(entry)
            first = at_s if first is None else first
            due = began + (at_s - first) / self._speed
            if waiting and (due > anyio.current_time() or len(waiting) >= BATCH):
                await feed.append(waiting)
                waiting = []
            await anyio.sleep_until(due)
            waiting.append(entry)
        await feed.append(waiting)
        logger.info(Line(replay="over", events=self._recording.size))


class Watched:
    """A host that has a recording begin when its feed is first read."""

    def __init__(self, host: Host, player: Player) -> None:
        self._host = host
        self._player = player

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") in READS:
            self._player.begin()
        await self._host(scope, receive, send)

    def stop(self) -> None:
        self._host.stop()


def _seconds(entry: Entry) -> float:
    """The moment of the host's clock when it came; 0 where that says nothing."""
    stamp = parse_timestamp(entry.event.received_at)
    return datetime.fromisoformat(f"{stamp[:-1]}+00:00").timestamp() if stamp else 0.0
