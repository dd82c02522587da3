"""`curl -sN … | scripts/sse` prints one short line for each server-sent event.

It reads A2A's stream responses of both JSON bindings, /tasks/stream and /feed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from host.observability.printable import escape
from host.protocol.progress import percent_of

Json = dict[str, Any]
TASK_STATE = "TASK_STATE_"
MAX_SHOWN = 80


class Line(NamedTuple):
    """What is shown of one event. `progress` is 0 to 100, or None."""

    kind: str
    state: str = ""
    progress: float | None = None
    text: str = ""

    def show(self, event_id: str) -> str:
        percent = "" if self.progress is None else f"{self.progress:g} %"
        columns = f"{event_id:>4}  {self.kind:<8}  {self.state:<14}  {percent:>5}"
        return escape(f"{columns}  {self.text}".rstrip())


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        for line in show_events(sys.stdin):
            print(line)
    except KeyboardInterrupt:
        sys.exit(130)


def show_events(lines: Iterable[str]) -> Iterator[str]:
    """Yield a line for each event with data, and all lines that are not of SSE."""
    event_id, data = "", []
    for line in lines:
        field, _, value = line.rstrip("\r\n").partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "id":
            event_id = value.removeprefix(" ")
        elif not line.strip():
            if data:
                yield _show(event_id, "\n".join(data))
            event_id, data = "", []
        elif field not in ("", "event", "retry"):
            yield _show("", line.rstrip())  # An error, as one JSON object.
    if data:
        yield _show(event_id, "\n".join(data))


def _show(event_id: str, data: str) -> str:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return escape(_shorten(data))
    return read_line(body).show(event_id)


def read_line(body: Json) -> Line:
    body = body.get("result", body) if "jsonrpc" in body else body
    if "error" in body and isinstance(body["error"], dict):
        return Line("error", text=str(body["error"].get("message", "")))
    if isinstance(body.get("status"), dict):  # From GetTask or CancelTask.
        return _read_status("task", body)
    if task := body.get("task"):
        return _read_status("task", task)
    if update := body.get("statusUpdate"):
        return _read_status("status", update)
    if update := body.get("artifactUpdate"):
        return Line("artifact", text=_join(update["artifact"].get("parts", ())))
    if isinstance(message := body.get("message"), dict):
        return Line("message", text=_join(message.get("parts", ())))
    return _read_row(body)


def _read_status(kind: str, update: Json) -> Line:
    status = update.get("status", {})
    message = status.get("message", {})
    metadata = [one.get("metadata", {}) for one in (update, message)]
    state = status.get("state", "").removeprefix(TASK_STATE).lower()
    results = update.get("artifacts", ())
    parts = message.get("parts") or [part for one in results for part in one["parts"]]
    progress = 100 if state == "completed" else percent_of(*metadata)
    return Line(kind, state.replace("_", "-"), progress, _join(parts))


def _read_row(row: Json) -> Line:
    """Read a row of /tasks/stream, or an event of the feed."""
    text = row.get("result") or row.get("message") or _join(row.get("parts", ()))
    state = row.get("status") or row.get("connection") or ""
    text = " ".join(filter(None, (row.get("agent"), _shorten(text))))
    return Line(row.get("kind", "task"), state, row.get("progress"), text)


def _join(parts: Iterable[Json]) -> str:
    return _shorten(" ".join(part.get("text", "") for part in parts))


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


if __name__ == "__main__":
    main()
