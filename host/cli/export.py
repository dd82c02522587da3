"""`courtside export`: saves the feed of a running host as NDJSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import click

from ..errors import CourtsideError
from .host_client import HostLost, check_response, explain_errors, open_client
from .options import find_host, host_options
from .stdout import ignore_broken_pipe


@click.command(
    epilog="""\b
Examples:
  courtside export > run.ndjson
  courtside export --agent carly --since 2026-11-24T12:00:00Z -o run.ndjson
  courtside export --after 4182 >> run.ndjson

You can open the recording with courtside replay, with courtside import, or in the page
(History, Open)."""
)
@host_options
@click.option("--after", metavar="ID", help="Only events after this one.")
@click.option("--before", metavar="ID", help="Only events before this one.")
@click.option(
    "--since", metavar="TIME", help="Only events since then: 2026-11-24T12:00:00Z."
)
@click.option("--until", metavar="TIME", help="Only events until then.")
@click.option("-o", "--output", metavar="FILE", help="A new file.  [stdout]")
def export(url: str | None, output: str | None, **query: str | Sequence[str]) -> None:
    """Save the feed of a running host as NDJSON."""
    url = find_host(url)
    parameters = {name: value for name, value in query.items() if value}
    writer = _LineWriter()
    try:
        with (
            open_client(url) as client,
            explain_errors(url),
            client.stream("GET", "/feed.ndjson", params=parameters) as response,
        ):
            check_response(response, url)
            if output is None:
                with ignore_broken_pipe():
                    writer.copy(response.iter_bytes(), sys.stdout.buffer)
            else:
                with _create(output) as file:
                    writer.copy(response.iter_bytes(), file)
                click.echo(f"{writer.count} events in {output}")
    except HostLost as error:
        if not writer.count:
            raise
        raise HostLost(
            f"{error}; {writer.count} events are saved: get the rest with "
            f"--after {json.loads(writer.last)['id']}"
        ) from error


class _LineWriter:
    """Copies whole lines, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.last = b""

    def copy(self, chunks: Iterable[bytes], file: BinaryIO) -> None:
        rest = b""
        for chunk in chunks:
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            file.write(lines + newline)
            if newline:
                self.count += lines.count(b"\n") + 1
                self.last = lines.rpartition(b"\n")[2]


def _create(path: str) -> BinaryIO:
    try:
        return open(path, "xb")
    except OSError as error:
        raise CourtsideError(
            f"{path}: cannot be created: {error.strerror}; choose another file"
        ) from error
