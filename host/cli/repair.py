"""`courtside repair`: writes a repaired copy of a damaged log."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from ..config.settings import LOG_FILE
from ..errors import CourtsideError

MAX_SHOWN = 20


@click.command(
    epilog="""\b
Examples:
  courtside repair                        the log of the host in this folder
  courtside repair /var/lib/courtside/feed.db -o repaired.db

The original stays unchanged. In the copy, each event that cannot be read is a gap of
its task, with the same id. Stop the host first. Exit code 0: the copy is complete."""
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the copy to this new file.  [feed.repaired.db beside the log]",
)
def repair(file: Path | None, output: Path | None) -> None:
    """Write a repaired copy of a damaged log."""
    from ..log.repair import repair as write_copy

    path = file or _find_log()
    output = output or path.with_name(f"{path.stem}.repaired{path.suffix}")
    if output.exists():
        raise CourtsideError(f"{output} already exists: choose another --output")
    try:
        report = write_copy(path, output)
    except OSError as error:
        raise CourtsideError(f"{output}: cannot be written: {error}") from error
    click.echo(f"{report.events:,} events copied to {output}")
    if report.lost:
        click.echo(
            f"{len(report.lost):,} damaged or missing events are gaps now: "
            f"{_list(report.lost)}"
        )
    if report.without_raw:
        click.echo(
            f"{len(report.without_raw):,} events lost only the A2A update that they "
            f"were made from: {_list(report.without_raw)}"
        )
    if not report.has_board:
        click.echo("The host builds the board from the events when it starts.")
    if not report.has_epoch:
        click.echo("The log has a new epoch: readers begin with a snapshot.")
    folder = shlex.quote(str(path.parent))
    click.echo(
        f"{path} is unchanged. To use the copy, move feed.db* in {folder} away, and "
        f"rename the copy to {LOG_FILE} there."
    )


def _find_log() -> Path:
    from ..config.load import read_data_dir

    return read_data_dir(os.environ, Path.cwd()) / LOG_FILE


def _list(ids: Sequence[int]) -> str:
    """Return the first ids as text."""
    more = f" and {len(ids) - MAX_SHOWN:,} more" if len(ids) > MAX_SHOWN else ""
    return ", ".join(map(str, ids[:MAX_SHOWN])) + more
