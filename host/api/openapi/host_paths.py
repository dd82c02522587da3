"""OpenAPI operations of the host's own endpoints: feed, agents, health, pages."""

from __future__ import annotations

from ...feed.search import MAX_CHARS
from ...model.event import STATUSES
from ..feed_stream import MAX_EVERY_MS
from ..history import MAX_LIMIT, NEXT
from .builders import (
    CURSOR,
    EVENTS,
    FORM,
    HTML,
    JSON,
    LINES,
    OBJECT,
    STRING,
    Json,
    answer,
    array,
    both,
    error,
    header,
    integer,
    json,
    many,
    nothing,
    object_with,
    operation,
    pattern,
    query,
    ref,
    text,
)

# Forms send empty fields. They mean the same as missing ones.
CURSOR_OR_EMPTY = pattern(f"({CURSOR})?")
TIME: Json = {"anyOf": [{"type": "string", "format": "date-time"}, {"const": ""}]}
LAST_SEEN = header(
    "Last-Event-ID",
    "The id of the last event you have. It wins over `after`.",
    CURSOR_OR_EMPTY,
)
AFTER = query(
    "after", "Events after this id; 0 for all stored events.", CURSOR_OR_EMPTY
)
BEFORE = query("before", "Events before this id.", CURSOR_OR_EMPTY)
OF_TASKS = (
    many("agent", "Only this agent; repeatable."),
    many("task", "Only this task."),
    many("context", "Only this context."),
)
KIND = many("kind", "Only this kind: task, artifact, message, agent, gap, notice.")
EVERY = query(
    "every_ms",
    "Send events that arrive within this many milliseconds together. After a pause, "
    "an event is still sent at once.",
    integer(0, MAX_EVERY_MS),
)
SEARCH = (
    query("limit", "The largest number of events.", integer(1, MAX_LIMIT)),
    query("q", "Text to search for.", {"type": "string", "maxLength": MAX_CHARS}),
    many("status", "Only tasks with this status.", {"enum": sorted(STATUSES)}),
    query("since", "Received at this time or later.", TIME),
    query("until", "Received at this time or earlier.", TIME),
)
INVALID_PARAMETER = text(
    400, "A parameter is invalid, or the Host header does not name this host."
)
NEXT_HEADER = {
    "description": "The `after` or `before` with which the search continues.",
    "schema": STRING,
}
EVENT_LINES = text(200, "Events, one per line.", LINES, headers={NEXT: NEXT_HEADER})

FEED = (
    operation(
        "GET /feed",
        "readFeed",
        "Read the feed live: every event as a server-sent event, in order. Without "
        "a cursor, a `snapshot` comes first; see /feed.schema.json. A `fault` "
        "event has no id and says why the log fails; its `cause` is null when it "
        "works again.",
        text(200, "An endless stream of events.", EVENTS),
        INVALID_PARAMETER,
        parameters=(LAST_SEEN, AFTER, EVERY, *OF_TASKS, KIND),
    ),
    operation(
        "GET /tasks/stream",
        "readTasks",
        "Read task updates live; first the row of each open task.",
        text(200, "An endless stream of events.", EVENTS),
        INVALID_PARAMETER,
        parameters=(LAST_SEEN, AFTER, EVERY, *OF_TASKS),
    ),
    operation(
        "GET /feed.ndjson",
        "readHistory",
        "Read past events, one per line, oldest first: the first ones after "
        "`after`, else the last ones before `before`. Without `limit`: all.",
        EVENT_LINES,
        text(400, "A parameter is wrong; the text says which and why."),
        text(410, "These events are no longer stored."),
        parameters=(AFTER, BEFORE, *OF_TASKS, KIND, *SEARCH),
    ),
    operation(
        "GET /feed/{event_id}",
        "readEvent",
        "Read one event, and the A2A update that it was made from.",
        json(
            200,
            "The event.",
            object_with({"event": ref("Event"), "raw": {"type": ["object", "null"]}}),
        ),
        text(400, "Not a cursor, or the Host header does not name this host."),
        text(404, "The event is not in the log."),
    ),
)

NO_SUCH_AGENT = error(404, "No followed agent has this name.")
NOT_SAVED = error(503, "The change could not be saved, and was not made.")
AGENTS = (
    operation(
        "GET /agents",
        "listAgents",
        "Read the current row of every followed agent.",
        json(200, "The rows.", object_with({"agents": array(ref("AgentRow"))})),
    ),
    operation(
        "POST /agents",
        "addAgent",
        "Follow an agent. The feed says whether it can be reached.",
        json(201, "The host follows it.", ref("AgentRow")),
        both(400, "The body is not a valid agent."),
        error(409, "The name or the URL is already followed."),
        NOT_SAVED,
        body={JSON: ref("NewAgent")},
    ),
    operation(
        "POST /agents:reload",
        "reloadAgents",
        "Read courtside.toml again now.",
        json(200, "The names of the changed agents.", ref("Reloaded")),
        both(400, "The file is invalid; the agents did not change."),
        NOT_SAVED,
    ),
    operation(
        "GET /agents/{agent}",
        "readAgent",
        "Read the current row of one agent.",
        json(200, "The row.", ref("AgentRow")),
        NO_SUCH_AGENT,
    ),
    operation(
        "DELETE /agents/{agent}",
        "removeAgent",
        "Stop following an agent. Its events stay in the feed.",
        nothing(204, "Removed."),
        NO_SUCH_AGENT,
        NOT_SAVED,
    ),
    operation(
        "POST /agents/{agent}:retry",
        "retryAgent",
        "Reconnect to a lost agent now.",
        json(202, "Accepted."),
        NO_SUCH_AGENT,
    ),
)

HEALTH = (
    operation(
        "GET /healthz",
        "health",
        "Read whether the log works, and which agents are connected.",
        json(200, "The log works.", ref("Health")),
        json(503, "The log fails: `cause` says why.", ref("Health")),
    ),
    operation(
        "GET /readyz",
        "readiness",
        "Read whether the host is ready: started, not stopping, log writable.",
        json(200, "Ready.", ref("Readiness")),
        json(503, "Not ready: `cause` says why.", ref("Readiness")),
    ),
    operation(
        "GET /metrics",
        "metrics",
        "Read metrics for Prometheus, as OpenMetrics if that is accepted.",
        answer(
            200,
            "The metrics.",
            {"text/plain": STRING, "application/openmetrics-text": STRING},
        ),
    ),
    operation(
        "GET /debug.json",
        "inside",
        "Read the current state of the feed, the collectors and the readers.",
        json(200, "The state.", ref("DebugState")),
    ),
    operation(
        "GET /openapi.json",
        "openapi",
        "Read this description.",
        json(200, "OpenAPI 3.1."),
    ),
    operation(
        "GET /feed.schema.json",
        "feedSchema",
        "Read the JSON Schema of an event and of a snapshot.",
        answer(200, "JSON Schema, 2020-12.", {"application/schema+json": OBJECT}),
    ),
)

PAGE = text(200, "The page.", HTML)
FORM_ANSWERS = (
    nothing(303, "Success: redirect to the page."),
    text(403, "Wrong token, or a request from another origin.", HTML),
    text(415, "Not a form, or too large."),
    text(429, "Too many wrong tokens: wait.", HTML),
)
LOGIN = object_with({"token": STRING, "then": STRING}, "token", "then")
PAGES = (
    operation("GET /", "page", "The dashboard.", PAGE),
    operation(
        "GET /board",
        "board",
        "Current agents and tasks, for browsers without JavaScript.",
        PAGE,
    ),
    operation("GET /debug", "debug", "The data of /debug.json as a page.", PAGE),
    operation("GET /login", "login", "The sign-in page.", PAGE),
    operation(
        "POST /login",
        "signIn",
        "Sign in with a token, and start a session.",
        *FORM_ANSWERS,
        body={FORM: LOGIN},
    ),
    operation("POST /logout", "signOut", "End the session.", *FORM_ANSWERS),
    operation(
        "GET /static/{file}",
        "file",
        "A file of the page.",
        answer(200, "The file.", {"*/*": {}}),
        text(404, "The file does not exist."),
        text(405, "Only GET and HEAD."),
    ),
)

OPERATIONS = (*FEED, *AGENTS, *HEALTH, *PAGES)
