"""`courtside tail`: prints the feed of a running host. Reconnects when it breaks."""

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
from ..observability.printable import escape
from .event_line import format_event
from .host_client import HostLost, check_response, explain_errors, open_client
from .options import find_host, host_options
from .stdout import exit_when_pipe_closes, ignore_broken_pipe

RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
WHITE_SPACE = str.maketrans("\n\r\t", "   ")
ENDED = ("completed", "error", "cancelled", "rejected")


@click.command(
    epilog="""\b
Examples:
  courtside tail                          the host that is configured in this folder
  courtside tail https://host.example     another host; set COURTSIDE_TOKEN if needed
  courtside tail --agent carly --kind task
  courtside tail --after 0                everything in the log, then new events
  courtside tail --json | jq -r .message

Without --json, tail first prints the current state. If the connection breaks, tail
reconnects and continues after the last event. When you press Ctrl-C, tail prints the
command to continue."""
)
@host_options
@click.option(
    "--after",
    metavar="CURSOR",
    help="Start after this id, or the cursor that tail printed; 0: all events.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print NDJSON: one event per line."
)
def tail(
    url: str | None, after: str | None, as_json: bool, **filters: tuple[str, ...]
) -> None:
    """Print the feed of a running host, live."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reader = _Reader(find_host(url), after, filters, _Printer(as_json))
    exit_when_pipe_closes()
    try:
        with ignore_broken_pipe():
            reader.run()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if reader.cursor:
            words = ["courtside", "tail", *([url] if url else [])]
            for name, values in filters.items():
                words += [word for value in values for word in (f"--{name}", value)]
            words += ["--json"] if as_json else []
            words += ["--after", reader.cursor]
            click.echo(f"\nContinue with: {escape(shlex.join(words))}", err=True)


class _Reader:
    """Passes the events after `cursor` to `printer`."""

    def __init__(
        self,
        url: str,
        cursor: str | None,
        filters: Mapping[str, tuple[str, ...]],
        printer: _Printer,
    ) -> None:
        self.cursor = cursor
        self._url = url
        self._query = dict(filters)
        self._filter = Filter(*(frozenset(filters[name]) for name in Filter._fields))
        self._printer = printer
        self._has_connected = False

    def run(self) -> None:
        """Never returns. Raises CourtsideError if the first connection fails."""
        failures = 0
        with open_client(self._url) as client:
            while True:
                before = self.cursor
                try:
                    with explain_errors(self._url):
                        self._read(client, failures > 0)
                except (HostLost, SSEError) as error:
                    if not self._has_connected:
                        raise
                    if not failures:
                        _print_note(f"{error}; reconnecting")
                failures = 0 if self.cursor != before else failures
                time.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    def _read(self, client: httpx.Client, is_retry: bool) -> None:
        """Read one connection until it ends."""
        headers = {"last-event-id": self.cursor.encode()} if self.cursor else {}
        with connect_sse(
            client, "GET", "/feed", params=self._query, headers=headers
        ) as source:
            check_response(source.response, self._url)
            if is_retry:
                _print_note(f"reconnected to the host at {self._url}")
            self._has_connected = True
            for event in source.iter_sse():
                if event.data:
                    self._print(event)
                    # Not earlier: an event that was cut off must come again.
                    self.cursor = event.id

    def _print(self, event: ServerSentEvent) -> None:
        if event.event != "snapshot":
            return self._printer.print_event(event.data)
        snapshot: dict[str, Any] = json.loads(event.data)
        if snapshot["reset"]:
            _print_note(f"{snapshot['reason']}; continuing from {event.id}")
        if left_out := snapshot.get("tasks_left_out"):
            _print_note(
                f"{left_out} older tasks did not fit in the snapshot; "
                "--after 0 prints all events"
            )
        rows = [
            *(row for row in snapshot["agents"] if row["connection"] != "removed"),
            *(row for row in snapshot["tasks"] if row["status"] not in ENDED),
        ]
        for row in rows:
            names = ("agent", "task_id", "context_id", "kind")
            if self._filter.matches(Place(*(row.get(name) for name in names))):
                self._printer.print_row(row)


class _Printer:
    """Prints lines for people, or NDJSON. Uses colours only in a terminal."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._is_terminal = sys.stdout.isatty()
        has_colors = self._is_terminal and not os.environ.get("NO_COLOR")
        self._console = Console(
            color_system="auto" if has_colors else None,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def print_event(self, data: str) -> None:
        if not self._as_json:
            return self.print_row(json.loads(data))
        # A terminal could obey some characters, also at the other end of a pipe. White
        # space between the values of JSON stays white space.
        line = escape(data.translate(WHITE_SPACE))
        sys.stdout.buffer.write(line.encode() + b"\n")
        sys.stdout.buffer.flush()

    def print_row(self, row: dict[str, Any]) -> None:
        """Print the state of an agent or a task, but not as NDJSON, which has events
        only."""
        if self._as_json:
            return
        text = format_event(row, bar=self._is_terminal)
        if self._is_terminal:
            self._console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(text, soft_wrap=True)


def _print_note(text: str) -> None:
    click.echo(escape(f"courtside: {text}"), err=True)
