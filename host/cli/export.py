"""`courtside export`: saves the feed of a running host as NDJSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

import click

from ..errors import CourtsideError
from ..log.private_files import opener
from ..observability.printable import escape
from .host_client import HostLost, check_response, explain_errors, open_client
from .options import find_host, host_options
from .stdout import ignore_broken_pipe

ERROR = b'{"error":'
"""The last line of /feed.ndjson starts with it, if the log failed meanwhile."""


@click.command(
    epilog="""\b
Examples:
  courtside export > run.ndjson
  courtside export --agent carly --since 2026-11-24T12:00:00Z -o run.ndjson
  courtside export --after 4182 >> run.ndjson

Show the recording with courtside replay, or on the page (History, Open). Load it into a
log with courtside import."""
)
@host_options
@click.option("--after", metavar="ID", help="Only events after this one.")
@click.option("--before", metavar="ID", help="Only events before this one.")
@click.option(
    "--since", metavar="TIME", help="Only events from this time: 2026-11-24T12:00:00Z."
)
@click.option("--until", metavar="TIME", help="Only events up to this time.")
@click.option(
    "-o", "--output", metavar="FILE", help="Write to this new file.  [stdout]"
)
def export(url: str | None, output: str | None, **query: str | Sequence[str]) -> None:
    """Save the feed of a running host as NDJSON."""
    url = find_host(url)
    parameters = {name: value for name, value in query.items() if value}
    count, last = 0, b""
    # A terminal could obey some characters. A file gets the bytes of the host.
    is_shown = output is None and sys.stdout.isatty()
    try:
        with (
            open_client(url) as client,
            explain_errors(url),
            client.stream("GET", "/feed.ndjson", params=parameters) as response,
        ):
            check_response(response, url)
            with ignore_broken_pipe(), _open_output(output) as file:
                for line in _split_lines(response.iter_bytes()):
                    if line.startswith(ERROR):
                        raise HostLost(json.loads(line)["error"]["message"])
                    text = escape(line.decode()).encode() if is_shown else line
                    file.write(text + b"\n")
                    count, last = count + 1, line
    except HostLost as error:
        if not count:
            raise
        raise HostLost(
            f"{error}; {count} events are saved: get the rest with "
            f"--after {json.loads(last)['id']}"
        ) from error
    if output:
        click.echo(f"{count} events in {output}")


def _split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines. httpx also splits at line separators within an event."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _open_output(path: str | None) -> AbstractContextManager[BinaryIO]:
    if path is None:
        return nullcontext(sys.stdout.buffer)
    try:
        return open(path, "xb", opener=opener)
    except OSError as error:
        raise CourtsideError(
            f"{path}: cannot be created: {error.strerror}; choose another file"
        ) from error
