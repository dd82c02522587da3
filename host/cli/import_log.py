"""`courtside import`: imports a recording into a new log."""

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
from ..log.sqlite_log import SqliteLog

BATCH = 5_000


@click.command(
    "import",
    epilog="""\b
Examples:
  courtside import run.ndjson             creates run.courtside/
  courtside --data-dir run.courtside      starts a host with this log

If the recording lacks some events (for example, of one agent), the others get new ids
from 1. A recording does not contain the A2A updates behind the events. To look at it
without agents, use courtside replay.""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A new folder for the log.  [FILE.courtside]",
)
def import_log(file: Path, data_dir: Path | None) -> None:
    """Import a recording into a log."""
    folder = data_dir or file.with_suffix(".courtside")
    recording = inspect_recording(file)
    if folder.exists():
        raise CourtsideError(
            f"{folder} already exists, and is left unchanged: choose another folder "
            "with --data-dir"
        )
    try:
        _create_log(recording, folder)
    except OSError as error:
        raise CourtsideError(
            f"{folder}: cannot be created: {error.strerror}"
        ) from error
    ids = "" if recording.keeps_ids else ", with new ids, because some are missing"
    click.echo(f"{recording.size} events in {folder}{ids}")
    click.echo(f"Show them with: courtside --data-dir {shlex.quote(str(folder))}")


def _create_log(recording: Recording, folder: Path) -> None:
    """The folder appears only when the log is complete."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        draft = Path(parent) / "log"
        asyncio.run(_fill(recording, SqliteLog(draft / LOG_FILE, recording.first)))
        draft.rename(folder)


async def _fill(recording: Recording, log: SqliteLog) -> None:
    events = entries(recording)
    try:
        while batch := list(islice(events, BATCH)):
            await log.append(batch)
    finally:
        await log.close()
