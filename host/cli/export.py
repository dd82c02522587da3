"""Owns `courtside export`: what a host has in its log, as NDJSON, an event a line.

Reads /feed.ndjson; writes to a file or to stdout, whole lines only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import click

from ..errors import CourtsideError
from .host_client import HostLost, check, client, telling
from .options import address_of, with_host
from .stdout import may_be_closed


@click.command(
    epilog="""\b
Examples:
  courtside export > run.ndjson
  courtside export --agent carly --since 2026-11-24T12:00:00Z -o run.ndjson
  courtside export --after 4182 >> run.ndjson

What is saved can be shown again with courtside replay or courtside import, and opened
in the page (History, Open)."""
)
@with_host
@click.option("--after", metavar="ID", help="Only events behind this one.")
@click.option("--before", metavar="ID", help="Only events before this one.")
@click.option(
    "--since", metavar="TIME", help="Only from then on: 2026-11-24T12:00:00Z."
)
@click.option("--until", metavar="TIME", help="Only up to then.")
@click.option("-o", "--output", metavar="FILE", help="A new file.  [stdout]")
def export(
    url: str | None,
    output: str | None,
    agent: tuple[str, ...],
    task: tuple[str, ...],
    context: tuple[str, ...],
    kind: tuple[str, ...],
    **limits: str | None,
) -> None:
    """Save the feed of a host that runs as NDJSON."""
    address = address_of(url)
    query: dict[str, str | Sequence[str]] = {
        **{"agent": agent, "task": task, "context": context, "kind": kind},
        **{name: text for name, text in limits.items() if text is not None},
    }
    saved = _Saved()
    with (
        client(address) as http,
        saved.told(),
        telling(address),
        http.stream("GET", "/feed.ndjson", params=query) as answer,
    ):
        check(answer, address)
        if output is None:
            with may_be_closed():
                saved.copy(answer.iter_bytes(), sys.stdout.buffer)
        else:
            with _new(output) as file:
                saved.copy(answer.iter_bytes(), file)
            click.echo(f"{saved.count} events in {output}")


class _Saved:
    """How many events were written, and the last of them."""

    def __init__(self) -> None:
        self.count = 0
        self._last = b""

    def copy(self, pieces: Iterable[bytes], file: BinaryIO) -> None:
        """Whole lines only, whatever happens in the middle."""
        rest = b""
        for piece in pieces:
            lines, newline, rest = (rest + piece).rpartition(b"\n")
            file.write(lines + newline)
            if newline:
                self.count += lines.count(b"\n") + 1
                self._last = lines.rpartition(b"\n")[2]

    @contextmanager
    def told(self) -> Iterator[None]:
        """Says with a failure what there is already, and how to go on."""
        try:
            yield
        except HostLost as error:
            if not self.count:
                raise
            last = json.loads(self._last)["id"]
            raise HostLost(
                f"{error}; {self.count} events are saved: the rest is what "
                f"--after {last} gives"
            ) from error


def _new(path: str) -> BinaryIO:
    try:
        return open(path, "xb")
    except OSError as error:
        raise CourtsideError(
            f"{path}: cannot be made: {error.strerror}; choose another file"
        ) from error
