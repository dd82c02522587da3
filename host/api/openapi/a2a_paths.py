"""Owns what is said of the gateway: every agent as an A2A agent, over both bindings.

What a message, a Task and a stream's updates are is A2A's own (a2a-protocol.org, 1.0);
openapi.py puts these paths beside the host's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from a2a.types import a2a_pb2 as pb

from .builders import (
    EVENTS,
    JSON,
    Json,
    both,
    error,
    header,
    json,
    operation,
    path,
    query,
    ref,
    text,
)

AGENT = path("agent", "The name of an agent that is followed, or `host`.")
TASK = path("task_id", "The id that the agent gave the task.")
VERSION = header(
    "A2A-Version", "1.0, which is also meant without it.", {"enum": ["1.0"]}
)
LAST_SEEN = header(
    "Last-Event-ID",
    "The number of the last update you have: what followed it is sent, and no more.",
    {"type": "string", "pattern": "^([0-9]{1,15})?$"},
)
HISTORY = query(
    "historyLength",
    "How many messages at most.",
    {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
)
# An agent's own refusals pass as they are: hence the default.
REFUSALS: dict[int | str, Json] = {
    400: both("The request is wrong, or the agent says so."),
    404: error("No such agent, or no such task."),
    502: error("The agent cannot be reached, or answers what A2A does not allow."),
    "default": error("Another refusal, most often the agent's own."),
}
OF_BODIES: dict[int | str, Json] = {
    413: error("The body is too large."),
    415: error("The body is not declared as JSON."),
}
CARD = json("The card.", ref("AgentCard"))


def _told(says: str, **more: Json) -> Mapping[int | str, Json]:
    return {200: {**text(says, EVENTS), **more}, **REFUSALS}


PATHS: Json = {
    "/.well-known/agent-card.json": {
        "get": operation(
            "hostCard", "The card of the host as an agent.", answers={200: CARD}
        )
    },
    "/a2a/{agent}/.well-known/agent-card.json": {
        "get": operation(
            "agentCard",
            "The agent's card, with the host's own address in it.",
            AGENT,
            answers={200: CARD, 404: REFUSALS[404], 502: REFUSALS[502]},
        )
    },
    "/a2a/{agent}": {
        "post": operation(
            "call",
            "A2A over JSON-RPC: SendMessage, SendStreamingMessage, GetTask, ListTasks, "
            "CancelTask, SubscribeToTask.",
            AGENT,
            VERSION,
            header("Last-Event-ID", "As for subscribe.", {"type": "string"}),
            body=ref("Call"),
            answers={
                200: {
                    "description": "The result or the error; a stream of such where "
                    "the method streams.",
                    "content": {
                        JSON: {"schema": ref("CallAnswer")},
                        EVENTS: {"schema": {"type": "string"}},
                    },
                },
                404: json("No such agent.", ref("CallAnswer")),
                413: json("The body is too large.", ref("CallAnswer")),
                415: json("The body is not declared as JSON.", ref("CallAnswer")),
            },
        )
    },
    "/a2a/{agent}/extendedAgentCard": {
        "get": operation(
            "extendedCard",
            "Refused: all that the host may show is on the card.",
            AGENT,
            VERSION,
            answers=REFUSALS,
        )
    },
    "/a2a/{agent}/message:send": {
        "post": operation(
            "sendMessage",
            "Start a task, or reply to one. Waits until it ends or asks, unless "
            "`configuration.returnImmediately`. The same messageId again is done once.",
            AGENT,
            VERSION,
            body=ref("SendMessageRequest"),
            answers={
                200: json("A Task or a Message.", {"type": "object"}),
                **REFUSALS,
                **OF_BODIES,
            },
        )
    },
    "/a2a/{agent}/message:stream": {
        "post": operation(
            "streamMessage",
            "The same, with its updates as they come; each has a number as its id.",
            AGENT,
            VERSION,
            body=ref("SendMessageRequest"),
            answers={**_told("A Task, then updates of it."), **OF_BODIES},
        )
    },
    "/a2a/{agent}/tasks": {
        "get": operation(
            "listTasks",
            "What the feed knows of the agent's tasks, latest first.",
            AGENT,
            VERSION,
            query("contextId", "Of this context."),
            query(
                "status", "In this TaskState.", {"enum": sorted(pb.TaskState.keys())}
            ),
            query(
                "pageSize",
                "At most so many.",
                {"type": "integer", "minimum": 1, "maximum": 100},
            ),
            query("pageToken", "The nextPageToken of the page before."),
            HISTORY,
            query(
                "statusTimestampAfter",
                "Not older than that.",
                {"type": "string", "format": "date-time"},
            ),
            answers={
                200: json(
                    "A page.",
                    {
                        "type": "object",
                        "properties": {
                            "tasks": {"type": "array", "items": {"type": "object"}},
                            "nextPageToken": {"type": "string"},
                            "pageSize": {"type": "integer"},
                            "totalSize": {"type": "integer"},
                        },
                        "required": ["tasks", "nextPageToken", "pageSize", "totalSize"],
                    },
                ),
                **REFUSALS,
            },
        )
    },
    "/a2a/{agent}/tasks/{task_id}": {
        "get": operation(
            "getTask",
            "The Task as its agent has it.",
            AGENT,
            TASK,
            VERSION,
            HISTORY,
            answers={200: json("The Task.", ref("Task")), **REFUSALS},
        )
    },
    "/a2a/{agent}/tasks/{task_id}:cancel": {
        "post": operation(
            "cancelTask",
            "Stop it, where the agent can; the Task as the agent leaves it.",
            AGENT,
            TASK,
            VERSION,
            answers={
                200: json("The Task.", ref("Task")),
                409: error("It is over, or cannot be stopped."),
                **REFUSALS,
            },
        )
    },
    "/a2a/{agent}/tasks/{task_id}:subscribe": {
        method: operation(
            f"subscribe{suffix}",
            "The Task and what follows; with Last-Event-ID exactly what followed that.",
            AGENT,
            TASK,
            VERSION,
            LAST_SEEN,
            answers={
                **_told("Updates until it ends or asks."),
                410: error("What followed that update is not kept."),
            },
        )
        for method, suffix in (("get", ""), ("post", "ByPost"))
    },
    "/a2a/{agent}/tasks/{task_id}/pushNotificationConfigs": {
        method: operation(
            f"push{suffix}",
            "Refused: the host pushes nothing.",
            AGENT,
            TASK,
            VERSION,
            answers=REFUSALS,
        )
        for method, suffix in (("get", ""), ("post", "ByPost"))
    },
}

_PART: Json = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}
_ID: Json = {"type": "string", "minLength": 1, "maxLength": 200}
SCHEMAS: Json = {
    "AgentCard": {
        "type": "object",
        "description": "A2A's AgentCard.",
        "required": ["name", "supportedInterfaces", "capabilities", "skills"],
    },
    "Task": {
        "type": "object",
        "description": "A2A's Task.",
        "properties": {"id": {"type": "string"}, "status": {"type": "object"}},
        "required": ["id", "status"],
    },
    "SendMessageRequest": {
        "type": "object",
        "description": "A2A's SendMessageRequest; the least of it.",
        "properties": {
            "message": {
                "type": "object",
                "properties": {
                    "messageId": _ID,
                    "role": {"enum": ["ROLE_USER"]},
                    "parts": {"type": "array", "minItems": 1, "items": _PART},
                    "taskId": {"type": "string", "description": "To reply to it."},
                    "contextId": {"type": "string"},
                },
                "required": ["messageId", "role", "parts"],
            },
            "configuration": {
                "type": "object",
                "properties": {"returnImmediately": {"type": "boolean"}},
            },
        },
        "required": ["message"],
    },
    "Call": {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer"]},
            "method": {"type": "string"},
            "params": {"type": "object"},
        },
        "required": ["jsonrpc", "method"],
    },
    "CallAnswer": {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "number", "null"]},
            "result": {"type": "object"},
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string"},
                    "data": {"type": "array"},
                },
                "required": ["code", "message"],
            },
        },
        "required": ["jsonrpc", "id"],
        "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
    },
}
