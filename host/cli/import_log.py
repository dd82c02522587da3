"""Owns `courtside import`: a log of its own, made of a saved feed.

A host shows it with --data-dir.
"""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from itertools import islice
from pathlib import Path

import click

from ..config.settings import LOG_FILE
from ..errors import CourtsideError
from ..log.recording import Recording, entries, inspect_recording
from ..log.sqlite import SqliteLog

BATCH = 5_000


@click.command(
    "import",
    epilog="""\b
Examples:
  courtside import run.ndjson             makes run.courtside/
  courtside --data-dir run.courtside      shows it, and goes on from there

A recording that leaves events out (of one agent, say) gets new ids, from 1 on. The A2A
updates behind the events are not in a recording. To look at it without agents, use
courtside replay.""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new folder for the log.  [FILE.courtside]",
)
def import_log(file: Path, data_dir: Path | None) -> None:
    """Make a log of a saved feed."""
    folder = data_dir or file.with_suffix(".courtside")
    recording = inspect_recording(file)
    if folder.exists():
        raise CourtsideError(
            f"{folder} is there already, and stays as it is: choose another with "
            "--data-dir"
        )
    try:
        _make(recording, folder)
    except OSError as error:
        raise CourtsideError(f"{folder}: cannot be made: {error.strerror}") from error
    ids = "" if recording.keeps_ids else ", with new ids, for there are some missing"
    click.echo(f"{recording.size} events in {folder}{ids}")
    click.echo(f"Show them with: courtside --data-dir {shlex.quote(str(folder))}")


def _make(recording: Recording, folder: Path) -> None:
    """Whole or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as drafts:
        draft = Path(drafts) / "log"
        asyncio.run(_fill(recording, SqliteLog(draft / LOG_FILE, recording.first)))
        draft.rename(folder)


async def _fill(recording: Recording, log: SqliteLog) -> None:
    events = entries(recording)
    try:
        while batch := list(islice(events, BATCH)):
            await log.append(batch)
    finally:
        await log.close()
