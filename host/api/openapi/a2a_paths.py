"""OpenAPI paths of the gateway: every agent as an A2A agent, over both bindings.

A2A 1.0 (a2a-protocol.org) defines the messages, Tasks and updates.
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

AGENT = path("agent", "The name of a followed agent, or `host`.")
TASK = path("task_id", "The task id of the agent.")
VERSION = header(
    "A2A-Version", "1.0, also if the header is missing.", {"enum": ["1.0"]}
)
LAST_SEEN = header(
    "Last-Event-ID",
    "The number of the last update you have. Only later updates are sent.",
    {"type": "string", "pattern": "^([0-9]{1,15})?$"},
)
HISTORY = query(
    "historyLength",
    "The largest number of messages.",
    {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
)
# Errors of the agent are passed on unchanged, hence the default.
ERRORS: dict[int | str, Json] = {
    400: both("The request is invalid, for the host or for the agent."),
    404: error("The agent or the task does not exist."),
    502: error("The agent cannot be reached, or sent an invalid response."),
    "default": error("Another error, usually from the agent."),
}
BODY_ERRORS: dict[int | str, Json] = {
    413: error("The body is too large."),
    415: error("The body is not declared as JSON."),
}
CARD = json("The card.", ref("AgentCard"))


def _stream(description: str) -> Mapping[int | str, Json]:
    return {200: text(description, EVENTS), **ERRORS}


PATHS: Json = {
    "/.well-known/agent-card.json": {
        "get": operation(
            "hostCard", "Read the card of the host as an agent.", answers={200: CARD}
        )
    },
    "/a2a/{agent}/.well-known/agent-card.json": {
        "get": operation(
            "agentCard",
            "Read the agent's card, with the gateway's address.",
            AGENT,
            answers={200: CARD, 404: ERRORS[404], 502: ERRORS[502]},
        )
    },
    "/a2a/{agent}": {
        "post": operation(
            "call",
            "A2A over JSON-RPC: SendMessage, SendStreamingMessage, GetTask, ListTasks, "
            "CancelTask, SubscribeToTask.",
            AGENT,
            VERSION,
            header("Last-Event-ID", "See subscribe.", {"type": "string"}),
            body=ref("Call"),
            answers={
                200: {
                    "description": "The result or the error; a stream of them if the "
                    "method streams.",
                    "content": {
                        JSON: {"schema": ref("CallAnswer")},
                        EVENTS: {"schema": {"type": "string"}},
                    },
                },
                404: json("The agent does not exist.", ref("CallAnswer")),
                413: json("The body is too large.", ref("CallAnswer")),
                415: json("The body is not declared as JSON.", ref("CallAnswer")),
            },
        )
    },
    "/a2a/{agent}/extendedAgentCard": {
        "get": operation(
            "extendedCard",
            "Refused: the public card has everything that the host may show.",
            AGENT,
            VERSION,
            answers=ERRORS,
        )
    },
    "/a2a/{agent}/message:send": {
        "post": operation(
            "sendMessage",
            "Start a task or reply to one. Waits until the task ends or needs input, "
            "unless `configuration.returnImmediately`. A repeated messageId is sent "
            "once.",
            AGENT,
            VERSION,
            body=ref("SendMessageRequest"),
            answers={
                200: json("A Task or a Message.", {"type": "object"}),
                **ERRORS,
                **BODY_ERRORS,
            },
        )
    },
    "/a2a/{agent}/message:stream": {
        "post": operation(
            "streamMessage",
            "The same, with live updates. The id of each is its number.",
            AGENT,
            VERSION,
            body=ref("SendMessageRequest"),
            answers={**_stream("A Task, then its updates."), **BODY_ERRORS},
        )
    },
    "/a2a/{agent}/tasks": {
        "get": operation(
            "listTasks",
            "List the agent's tasks in the feed, newest first.",
            AGENT,
            VERSION,
            query("contextId", "Only this context."),
            query(
                "status", "Only this TaskState.", {"enum": sorted(pb.TaskState.keys())}
            ),
            query(
                "pageSize",
                "The largest number of tasks.",
                {"type": "integer", "minimum": 1, "maximum": 100},
            ),
            query("pageToken", "The nextPageToken of the previous page."),
            HISTORY,
            query(
                "statusTimestampAfter",
                "Only tasks changed at this time or later.",
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
                **ERRORS,
            },
        )
    },
    "/a2a/{agent}/tasks/{task_id}": {
        "get": operation(
            "getTask",
            "Read the Task from its agent.",
            AGENT,
            TASK,
            VERSION,
            HISTORY,
            answers={200: json("The Task.", ref("Task")), **ERRORS},
        )
    },
    "/a2a/{agent}/tasks/{task_id}:cancel": {
        "post": operation(
            "cancelTask",
            "Ask the agent to cancel a task. Returns the Task.",
            AGENT,
            TASK,
            VERSION,
            answers={
                200: json("The Task.", ref("Task")),
                409: error("The task has ended, or cannot be cancelled."),
                **ERRORS,
            },
        )
    },
    "/a2a/{agent}/tasks/{task_id}:subscribe": {
        method: operation(
            f"subscribe{suffix}",
            "Read the Task and its updates; with Last-Event-ID exactly the later ones.",
            AGENT,
            TASK,
            VERSION,
            LAST_SEEN,
            answers={
                **_stream("Updates until the task ends or needs input."),
                410: error("The updates after that number are no longer stored."),
            },
        )
        for method, suffix in (("get", ""), ("post", "ByPost"))
    },
    "/a2a/{agent}/tasks/{task_id}/pushNotificationConfigs": {
        method: operation(
            f"push{suffix}",
            "Refused: the host sends no push notifications.",
            AGENT,
            TASK,
            VERSION,
            answers=ERRORS,
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
        "description": "A2A's SendMessageRequest; its required fields.",
        "properties": {
            "message": {
                "type": "object",
                "properties": {
                    "messageId": _ID,
                    "role": {"enum": ["ROLE_USER"]},
                    "parts": {"type": "array", "minItems": 1, "items": _PART},
                    "taskId": {
                        "type": "string",
                        "description": "The task to reply to.",
                    },
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
