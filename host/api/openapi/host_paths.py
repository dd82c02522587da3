"""Owns what is said of the host's own doors: feed, history, agents, windows, pages.

openapi.py makes one document of it and of a2a_paths.py.
"""

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
# What is empty is as if it were not there, as forms send it.
CURSOR: Json = {"type": "string", "pattern": f"^({_CURSOR})?$"}
MOMENT: Json = {"anyOf": [{"type": "string", "format": "date-time"}, {"const": ""}]}
STATUS: Json = {"enum": sorted(STATUSES)}

LAST_SEEN = header(
    "Last-Event-ID", "The id of the last event you have; wins over `after`.", CURSOR
)
AFTER = query("after", "Events behind this id; 0 for all that is kept.", CURSOR)
OF_TASKS = (
    many("agent", "Of this agent; repeatable."),
    many("task", "Of this task."),
    many("context", "Of this context."),
)
FILTER = (*OF_TASKS, many("kind", "Of this kind: task, artifact, message, agent, gap."))
EVERY = query(
    "every_ms",
    "What comes within so many ms of a send goes together: many events a second are "
    "then a few sends, and what comes after a pause still goes at once.",
    {"type": "integer", "minimum": 0, "maximum": MAX_EVERY_MS},
)
AGENT = path("agent", "The name of an agent that is followed.")
NOT_A_CURSOR = text("What was sent is no cursor, or the Host is not this host's.")
NO_SUCH_READER = text("A parameter means nothing, or the Host is not this host's.")

FEED: Json = {
    "/feed": {
        "get": operation(
            "readFeed",
            "The feed, live: every event as a server-sent event, in order. Without a "
            "cursor a `snapshot` comes first; see /feed.schema.json. A `fault`, which "
            "has no id, says why the log fails; its `cause` is null once it works.",
            LAST_SEEN,
            AFTER,
            EVERY,
            *FILTER,
            answers={200: text("Events without end.", EVENTS), 400: NO_SUCH_READER},
        )
    },
    "/tasks/stream": {
        "get": operation(
            "readTasks",
            "Updates of tasks alone, live; first the row of each open task.",
            LAST_SEEN,
            AFTER,
            EVERY,
            *OF_TASKS,
            answers={200: text("Events without end.", EVENTS), 400: NO_SUCH_READER},
        )
    },
    "/feed.ndjson": {
        "get": operation(
            "readHistory",
            "The feed at rest, one event a line, oldest first: the first past `after`, "
            "else the last before `before`. Without `limit` all of them.",
            AFTER,
            query("before", "Events before this id.", CURSOR),
            query(
                "limit",
                "At most so many.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            ),
            *FILTER,
            query("q", "Text in them.", {"type": "string", "maxLength": MAX_CHARS}),
            many("status", "Of tasks in this status.", STATUS),
            query("since", "Received then or later.", MOMENT),
            query("until", "Received then or before.", MOMENT),
            answers={
                200: {
                    **text("Events, one a line.", LINES),
                    "headers": {
                        NEXT: {
                            "description": "Of a search that is not through: the "
                            "`after` or `before` to go on with.",
                            "schema": {"type": "string"},
                        }
                    },
                },
                400: text("A parameter is wrong; the text says which, and why."),
                410: text("What was asked for is no longer kept."),
            },
        )
    },
    "/feed/{event_id}": {
        "get": operation(
            "readEvent",
            "One event, and the A2A update that it came from.",
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
                404: text("It is not in the log."),
            },
        )
    },
}

NO_SUCH_AGENT = error("No agent of that name is followed.")
AGENTS: Json = {
    "/agents": {
        "get": operation(
            "listAgents",
            "The current row of every agent that is followed.",
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
            "Follow one more agent; the feed says whether it can be reached.",
            body=ref("NewAgent"),
            answers={
                201: json("It is followed.", ref("AgentRow")),
                400: both("What was sent is no agent."),
                409: error("The name or the URL is followed already."),
                413: error("The body is too large."),
                415: error("The body is not declared as JSON."),
                503: error("It could not be written down, and was not done."),
            },
        ),
    },
    "/agents:reload": {
        "post": operation(
            "reloadAgents",
            "Read courtside.toml again, now.",
            answers={
                200: json("Names of what changed.", ref("Reloaded")),
                400: both("The file is wrong; the agents stay as they were."),
                503: error("It could not be written down, and was not done."),
            },
        )
    },
    "/agents/{agent}": {
        "get": operation(
            "readAgent",
            "The current row of one agent.",
            AGENT,
            answers={200: json("The row.", ref("AgentRow")), 404: NO_SUCH_AGENT},
        ),
        "delete": operation(
            "removeAgent",
            "Follow it no longer; what the feed has of it stays.",
            AGENT,
            answers={
                204: nothing("Done."),
                404: NO_SUCH_AGENT,
                503: error("It could not be written down, and was not done."),
            },
        ),
    },
    "/agents/{agent}:retry": {
        "post": operation(
            "retryAgent",
            "Try a lost agent now.",
            AGENT,
            answers={202: json("It will.", {"type": "object"}), 404: NO_SUCH_AGENT},
        )
    },
}

WINDOWS: Json = {
    "/healthz": {
        "get": operation(
            "health",
            "Whether the log can be written, and which agents are connected.",
            answers={
                200: json("It can.", ref("Health")),
                503: json("It cannot: `cause` says why.", ref("Health")),
            },
        )
    },
    "/readyz": {
        "get": operation(
            "readiness",
            "Whether requests are welcome: started, not stopping, log writable.",
            answers={
                200: json("They are.", ref("Readiness")),
                503: json("They are not: `cause` says why.", ref("Readiness")),
            },
        )
    },
    "/metrics": {
        "get": operation(
            "metrics",
            "Figures for Prometheus; OpenMetrics where that is accepted.",
            answers={
                200: {
                    "description": "The figures.",
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
            "The feed, each collector and each reader as they stand now.",
            answers={200: json("All of it.", ref("DebugState"))},
        )
    },
    "/openapi.json": {
        "get": operation(
            "openapi", "This.", answers={200: json("OpenAPI 3.1.", {"type": "object"})}
        )
    },
    "/feed.schema.json": {
        "get": operation(
            "feedSchema",
            "The JSON Schema of an event and of a snapshot.",
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
        303: nothing("It is done: on to the page."),
        403: text("Wrong token, or a request from another origin.", HTML),
        415: text("It is no short form."),
        429: text("Too many wrong tokens: wait.", HTML),
    }
    return operation(name, summary, answers=answers)


FORM = "application/x-www-form-urlencoded"
_LOGIN: Json = {
    "type": "object",
    "properties": {"token": {"type": "string"}, "then": {"type": "string"}},
}

PAGES: Json = {
    "/": _page("page", "The page."),
    "/board": _page("board", "Agents and tasks now, for browsers without JavaScript."),
    "/debug": _page("debug", "The same as /debug.json, for people."),
    "/login": {
        **_page("login", "Where a browser gives the token."),
        "post": _form("signIn", "A session for a token, as a form has it.")
        | {"requestBody": {"required": True, "content": {FORM: {"schema": _LOGIN}}}},
    },
    "/logout": {"post": _form("signOut", "The end of the session.")},
    "/static/{file}": {
        "get": operation(
            "file",
            "What the pages are made of.",
            path("file", "Its path."),
            answers={
                200: {"description": "The file.", "content": {"*/*": {}}},
                404: text("There is no such file."),
                405: text("Only GET and HEAD."),
            },
        )
    },
}

PATHS: Json = FEED | AGENTS | WINDOWS | PAGES
