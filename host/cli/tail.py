"""Owns `courtside tail`: the feed of a host in the terminal, line by line, for ever.

A reader of /feed like any other: it comes back with the id of the last event that it
printed.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import click
import httpx
from httpx_sse import ServerSentEvent, SSEError, connect_sse
from rich.console import Console

from ..model.filter import Filter, Place
from .event_line import line
from .host_client import HostLost, Query, check, client, telling
from .options import address_of, with_host
from .stdout import end_with_reader, may_be_closed

RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
OVER = ("completed", "error", "cancelled", "rejected")


@click.command(
    epilog="""\b
Examples:
  courtside tail                          the host of this folder, or of this machine
  courtside tail https://host.example     another; COURTSIDE_TOKEN is its token
  courtside tail --agent carly --kind task
  courtside tail --after 0                all that is kept, then what comes
  courtside tail --json | jq -r .message

It begins with how things stand, without --json, and comes back by itself where it was
when the host was away. Ctrl-C ends it, and says how to go on from there."""
)
@with_host
@click.option(
    "--after",
    metavar="CURSOR",
    help="Begin behind this event: an id, or what tail said at its end; 0 for all.",
)
@click.option("--json", "as_json", is_flag=True, help="NDJSON, an event a line.")
def tail(
    url: str | None, after: str | None, as_json: bool, **filters: tuple[str, ...]
) -> None:
    """Print the feed of a host that runs, as it comes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reader = _Reader(address_of(url), after, filters, _Printer(as_json))
    end_with_reader()
    try:
        with may_be_closed():
            reader.run()
    except KeyboardInterrupt:
        again = [*([url] if url else []), *_as_options(filters)]
        again += ["--json"] if as_json else []
        if reader.cursor:
            words = ["courtside", "tail", *again, "--after", reader.cursor]
            click.echo(f"\nGo on with: {shlex.join(words)}", err=True)


def _as_options(filters: Mapping[str, tuple[str, ...]]) -> list[str]:
    given = ((name, value) for name, values in filters.items() for value in values)
    return [word for name, value in given for word in (f"--{name}", value)]


class _Reader:
    """Reads `url` from `cursor` on; hands events to `printer`."""

    def __init__(
        self,
        url: str,
        cursor: str | None,
        filters: Mapping[str, tuple[str, ...]],
        printer: _Printer,
    ) -> None:
        self.cursor = cursor
        self._url = url
        self._query: Query = dict(filters)
        self._where = Filter(*(frozenset(filters[name]) for name in Filter._fields))
        self._printer = printer
        self._was_there = False

    def run(self) -> None:
        """Never returns. Raises CourtsideError where there is no host at first."""
        failures = 0
        with client(self._url) as http:
            while True:
                seen = self.cursor
                try:
                    with telling(self._url):
                        self._read(http, failures > 0)
                except (HostLost, SSEError) as error:
                    if not self._was_there:
                        raise
                    if not failures:
                        _note(f"{error}; trying again")
                failures = 0 if self.cursor != seen else failures
                time.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    def _read(self, http: httpx.Client, is_back: bool) -> None:
        """One connection to its end, which is nothing but a reason to come back."""
        headers = {"last-event-id": self.cursor} if self.cursor else {}
        with connect_sse(
            http, "GET", "/feed", params=self._query, headers=headers
        ) as source:
            check(source.response, self._url)
            if is_back:
                _note(f"the host at {self._url} is back")
            self._was_there = True
            for event in source.iter_sse():
                if event.data:
                    self._take(event)
                    # What was cut off in the middle was not received.
                    self.cursor = event.id

    def _take(self, event: ServerSentEvent) -> None:
        if event.event != "snapshot":
            return self._printer.event(event.data)
        snapshot: dict[str, Any] = json.loads(event.data)
        if snapshot["reset"]:
            _note(f"{snapshot['reason']}; going on from {event.id}")
        rows = [
            *(row for row in snapshot["agents"] if row["connection"] != "removed"),
            *(row for row in snapshot["tasks"] if row["status"] not in OVER),
        ]
        for row in rows:
            names = ("agent", "task_id", "context_id", "kind")
            if self._where.matches(Place(*(row.get(name) for name in names))):
                self._printer.row(row)


class _Printer:
    """Lines for a person, or NDJSON; without colours where nobody would see them."""

    def __init__(self, as_json: bool) -> None:
        is_seen = sys.stdout.isatty()
        self._as_json = as_json
        self._is_seen = is_seen
        has_colors = is_seen and not os.environ.get("NO_COLOR")
        self._console = Console(
            color_system="auto" if has_colors else None,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def event(self, data: str) -> None:
        if not self._as_json:
            return self.row(json.loads(data))
        if self._is_seen:
            # In UTF-8, a terminal could take some characters for commands.
            data = json.dumps(json.loads(data))
        sys.stdout.buffer.write(data.encode() + b"\n")
        sys.stdout.buffer.flush()

    def row(self, row: dict[str, Any]) -> None:
        """How an agent or a task stands; NDJSON has events only."""
        if self._as_json:
            return
        text = line(row, bar=self._is_seen)
        if self._is_seen:
            self._console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(text, soft_wrap=True)


def _note(text: str) -> None:
    click.echo(f"courtside: {text}", err=True)
