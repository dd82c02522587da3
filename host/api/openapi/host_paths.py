"""OpenAPI paths of the host's own endpoints: feed, history, agents, health, pages."""

from __future__ import annotations

from ...feed.search import MAX_CHARS
from ...model.event import STATUSES
from ..feed_stream import MAX_EVERY_MS
from ..history import MAX_LIMIT, NEXT
from .builders import (
    EVENTS,
    HTML,
    LINES,
    Json,
    both,
    error,
    header,
    json,
    many,
    nothing,
    operation,
    path,
    query,
    ref,
    text,
)

_CURSOR = "([0-9a-z]{1,32}-)?[0-9]{1,18}"
EVENT_ID: Json = {"type": "string", "pattern": f"^{_CURSOR}$"}
# Forms send empty fields. They mean the same as missing ones.
CURSOR: Json = {"type": "string", "pattern": f"^({_CURSOR})?$"}
MOMENT: Json = {"anyOf": [{"type": "string", "format": "date-time"}, {"const": ""}]}
STATUS: Json = {"enum": sorted(STATUSES)}

LAST_SEEN = header(
    "Last-Event-ID", "The id of the last event you have. It wins over `after`.", CURSOR
)
AFTER = query("after", "Events after this id; 0 for all stored events.", CURSOR)
OF_TASKS = (
    many("agent", "Only this agent; repeatable."),
    many("task", "Only this task."),
    many("context", "Only this context."),
)
FILTER = (
    *OF_TASKS,
    many("kind", "Only this kind: task, artifact, message, agent, gap."),
)
EVERY = query(
    "every_ms",
    "Send events that arrive within this many milliseconds together. After a pause, "
    "an event is still sent at once.",
    {"type": "integer", "minimum": 0, "maximum": MAX_EVERY_MS},
)
AGENT = path("agent", "The name of a followed agent.")
NOT_A_CURSOR = text("Not a cursor, or the Host header does not name this host.")
NO_SUCH_READER = text(
    "A parameter is invalid, or the Host header does not name this host."
)

FEED: Json = {
    "/feed": {
        "get": operation(
            "readFeed",
            "Read the feed live: every event as a server-sent event, in order. Without "
            "a cursor, a `snapshot` comes first; see /feed.schema.json. A `fault` "
            "event has no id and says why the log fails; its `cause` is null when it "
            "works again.",
            LAST_SEEN,
            AFTER,
            EVERY,
            *FILTER,
            answers={
                200: text("An endless stream of events.", EVENTS),
                400: NO_SUCH_READER,
            },
        )
    },
    "/tasks/stream": {
        "get": operation(
            "readTasks",
            "Read task updates live; first the row of each open task.",
            LAST_SEEN,
            AFTER,
            EVERY,
            *OF_TASKS,
            answers={
                200: text("An endless stream of events.", EVENTS),
                400: NO_SUCH_READER,
            },
        )
    },
    "/feed.ndjson": {
        "get": operation(
            "readHistory",
            "Read past events, one per line, oldest first: the first ones after "
            "`after`, else the last ones before `before`. Without `limit`: all.",
            AFTER,
            query("before", "Events before this id.", CURSOR),
            query(
                "limit",
                "The largest number of events.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            ),
            *FILTER,
            query(
                "q", "Text to search for.", {"type": "string", "maxLength": MAX_CHARS}
            ),
            many("status", "Only tasks with this status.", STATUS),
            query("since", "Received at this time or later.", MOMENT),
            query("until", "Received at this time or earlier.", MOMENT),
            answers={
                200: {
                    **text("Events, one per line.", LINES),
                    "headers": {
                        NEXT: {
                            "description": "The `after` or `before` with which the "
                            "search continues.",
                            "schema": {"type": "string"},
                        }
                    },
                },
                400: text("A parameter is wrong; the text says which and why."),
                410: text("These events are no longer stored."),
            },
        )
    },
    "/feed/{event_id}": {
        "get": operation(
            "readEvent",
            "Read one event, and the A2A update that it was made from.",
            path("event_id", "The event's id.", EVENT_ID),
            answers={
                200: json(
                    "The event.",
                    {
                        "type": "object",
                        "properties": {
                            "event": ref("Event"),
                            "raw": {"type": ["object", "null"]},
                        },
                        "required": ["event", "raw"],
                    },
                ),
                400: NOT_A_CURSOR,
                404: text("The event is not in the log."),
            },
        )
    },
}

NO_SUCH_AGENT = error("No followed agent has this name.")
AGENTS: Json = {
    "/agents": {
        "get": operation(
            "listAgents",
            "Read the current row of every followed agent.",
            answers={
                200: json(
                    "The rows.",
                    {
                        "type": "object",
                        "properties": {
                            "agents": {"type": "array", "items": ref("AgentRow")}
                        },
                        "required": ["agents"],
                    },
                )
            },
        ),
        "post": operation(
            "addAgent",
            "Follow an agent. The feed says whether it can be reached.",
            body=ref("NewAgent"),
            answers={
                201: json("The host follows it.", ref("AgentRow")),
                400: both("The body does not describe an agent."),
                409: error("The name or the URL is already followed."),
                413: error("The body is too large."),
                415: error("The body is not declared as JSON."),
                503: error("The change could not be saved, and was not made."),
            },
        ),
    },
    "/agents:reload": {
        "post": operation(
            "reloadAgents",
            "Read courtside.toml again now.",
            answers={
                200: json("The names of the changed agents.", ref("Reloaded")),
                400: both("The file is invalid; the agents did not change."),
                503: error("The change could not be saved, and was not made."),
            },
        )
    },
    "/agents/{agent}": {
        "get": operation(
            "readAgent",
            "Read the current row of one agent.",
            AGENT,
            answers={200: json("The row.", ref("AgentRow")), 404: NO_SUCH_AGENT},
        ),
        "delete": operation(
            "removeAgent",
            "Stop following an agent. Its events stay in the feed.",
            AGENT,
            answers={
                204: nothing("Removed."),
                404: NO_SUCH_AGENT,
                503: error("The change could not be saved, and was not made."),
            },
        ),
    },
    "/agents/{agent}:retry": {
        "post": operation(
            "retryAgent",
            "Reconnect to a lost agent now.",
            AGENT,
            answers={202: json("Accepted.", {"type": "object"}), 404: NO_SUCH_AGENT},
        )
    },
}

HEALTH: Json = {
    "/healthz": {
        "get": operation(
            "health",
            "Read whether the log works, and which agents are connected.",
            answers={
                200: json("The log works.", ref("Health")),
                503: json("The log fails: `cause` says why.", ref("Health")),
            },
        )
    },
    "/readyz": {
        "get": operation(
            "readiness",
            "Read whether the host is ready: started, not stopping, log writable.",
            answers={
                200: json("Ready.", ref("Readiness")),
                503: json("Not ready: `cause` says why.", ref("Readiness")),
            },
        )
    },
    "/metrics": {
        "get": operation(
            "metrics",
            "Read metrics for Prometheus, as OpenMetrics if that is accepted.",
            answers={
                200: {
                    "description": "The metrics.",
                    "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "application/openmetrics-text": {"schema": {"type": "string"}},
                    },
                }
            },
        )
    },
    "/debug.json": {
        "get": operation(
            "inside",
            "Read the current state of the feed, the collectors and the readers.",
            answers={200: json("The state.", ref("DebugState"))},
        )
    },
    "/openapi.json": {
        "get": operation(
            "openapi",
            "Read this description.",
            answers={200: json("OpenAPI 3.1.", {"type": "object"})},
        )
    },
    "/feed.schema.json": {
        "get": operation(
            "feedSchema",
            "Read the JSON Schema of an event and of a snapshot.",
            answers={
                200: text("JSON Schema, 2020-12.", "application/schema+json")
                | {
                    "content": {
                        "application/schema+json": {"schema": {"type": "object"}}
                    }
                }
            },
        )
    },
}


def _page(name: str, summary: str) -> Json:
    return {
        "get": operation(name, summary, answers={200: text("The page.", HTML)}),
    }


def _form(name: str, summary: str) -> Json:
    answers: dict[int | str, Json] = {
        303: nothing("Success: redirect to the page."),
        403: text("Wrong token, or a request from another origin.", HTML),
        415: text("Not a form, or too large."),
        429: text("Too many wrong tokens: wait.", HTML),
    }
    return operation(name, summary, answers=answers)


FORM = "application/x-www-form-urlencoded"
_LOGIN: Json = {
    "type": "object",
    "properties": {"token": {"type": "string"}, "then": {"type": "string"}},
}

PAGES: Json = {
    "/": _page("page", "The dashboard."),
    "/board": _page(
        "board", "Current agents and tasks, for browsers without JavaScript."
    ),
    "/debug": _page("debug", "The data of /debug.json as a page."),
    "/login": {
        **_page("login", "The sign-in page."),
        "post": _form("signIn", "Sign in with a token, and start a session.")
        | {"requestBody": {"required": True, "content": {FORM: {"schema": _LOGIN}}}},
    },
    "/logout": {"post": _form("signOut", "End the session.")},
    "/static/{file}": {
        "get": operation(
            "file",
            "A file of the page.",
            path("file", "The path of the file."),
            answers={
                200: {"description": "The file.", "content": {"*/*": {}}},
                404: text("The file does not exist."),
                405: text("Only GET and HEAD."),
            },
        )
    },
}

PATHS: Json = FEED | AGENTS | HEALTH | PAGES
