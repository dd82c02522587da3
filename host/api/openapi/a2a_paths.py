"""OpenAPI operations of the gateway: every agent as an A2A agent, over both bindings.

A2A 1.0 (a2a-protocol.org) defines the messages, Tasks and updates.
"""

from __future__ import annotations

from a2a.types import a2a_pb2 as pb

from .builders import (
    EVENTS,
    JSON,
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
    object_with,
    operation,
    pattern,
    query,
    ref,
    text,
)

CARD_PATH = "/.well-known/agent-card.json"
AGENT = "/a2a/{agent}"
TASK = f"{AGENT}/tasks/{{task_id}}"
VERSION = header(
    "A2A-Version",
    "1.0, also if the header is missing or empty.",
    pattern(r"(1(\.[0-9]+){0,2})?"),
)
LAST_SEEN = header(
    "Last-Event-ID",
    "The number of the last update you have. Only later updates are sent.",
    pattern("([0-9]{1,15})?"),
)
HISTORY = query(
    "historyLength", "The largest number of messages.", integer(0, 2**31 - 1)
)
LIST_FILTERS = (
    query("contextId", "Only this context."),
    query("status", "Only this TaskState.", {"enum": sorted(pb.TaskState.keys())}),
    query("pageSize", "The largest number of tasks.", integer(1, 100)),
    query("pageToken", "The nextPageToken of the previous page."),
    HISTORY,
    query(
        "statusTimestampAfter",
        "Only tasks changed at this time or later.",
        {"type": "string", "format": "date-time"},
    ),
)
NOT_FOUND = error(404, "The agent or the task does not exist.")
AGENT_FAILS = error(502, "The agent cannot be reached, or sent an invalid response.")
# Errors of the agent are passed on unchanged, hence the default.
ERRORS = (
    both(400, "The request is invalid, for the host or for the agent."),
    NOT_FOUND,
    AGENT_FAILS,
    error("default", "Another error, usually from the agent."),
)
CARD = json(200, "The card.", ref("AgentCard"))
ONE_TASK = json(200, "The Task.", ref("Task"))
PAGE_OF_TASKS = object_with(
    {
        "tasks": array(OBJECT),
        "nextPageToken": STRING,
        "pageSize": {"type": "integer"},
        "totalSize": {"type": "integer"},
    }
)
MESSAGE = {JSON: ref("SendMessageRequest")}


OPERATIONS = (
    operation(
        f"GET {CARD_PATH}", "hostCard", "Read the card of the host as an agent.", CARD
    ),
    operation(
        f"GET {AGENT}{CARD_PATH}",
        "agentCard",
        "Read the agent's card, with the gateway's address.",
        CARD,
        NOT_FOUND,
        AGENT_FAILS,
    ),
    operation(
        f"POST {AGENT}",
        "call",
        "A2A over JSON-RPC: SendMessage, SendStreamingMessage, GetTask, ListTasks, "
        "CancelTask, SubscribeToTask.",
        answer(
            200,
            "The result or the error; a stream of them if the method streams.",
            {JSON: ref("CallAnswer"), EVENTS: STRING},
        ),
        json(404, "The agent does not exist.", ref("CallAnswer")),
        json(413, "The body is too large.", ref("CallAnswer")),
        json(415, "The body is not declared as JSON.", ref("CallAnswer")),
        parameters=(VERSION, header("Last-Event-ID", "See subscribe.", STRING)),
        body={JSON: ref("Call")},
    ),
    operation(
        f"GET {AGENT}/extendedAgentCard",
        "extendedCard",
        "Refused: the public card has everything that the host may show.",
        *ERRORS,
        parameters=(VERSION,),
    ),
    operation(
        f"POST {AGENT}/message:send",
        "sendMessage",
        "Start a task or reply to one. Waits until the task ends or needs input, "
        "unless `configuration.returnImmediately`. A repeated messageId is sent "
        "once.",
        *ERRORS,
        json(200, "A Task or a Message."),
        parameters=(VERSION,),
        body=MESSAGE,
    ),
    operation(
        f"POST {AGENT}/message:stream",
        "streamMessage",
        "The same, with live updates. The id of each is its number.",
        *ERRORS,
        text(200, "A Task, then its updates.", EVENTS),
        parameters=(VERSION,),
        body=MESSAGE,
    ),
    operation(
        f"GET {AGENT}/tasks",
        "listTasks",
        "List the agent's tasks in the feed, newest first.",
        *ERRORS,
        json(200, "A page.", PAGE_OF_TASKS),
        parameters=(VERSION, *LIST_FILTERS),
    ),
    operation(
        f"GET {TASK}",
        "getTask",
        "Read the Task from its agent.",
        *ERRORS,
        ONE_TASK,
        parameters=(VERSION, HISTORY),
    ),
    operation(
        f"POST {TASK}:cancel",
        "cancelTask",
        "Ask the agent to cancel a task. Returns the Task.",
        *ERRORS,
        ONE_TASK,
        error(409, "The task has ended, or cannot be cancelled."),
        parameters=(VERSION,),
    ),
    *(
        operation(
            f"{method} {TASK}:subscribe",
            name,
            "Read the Task and its updates; with Last-Event-ID exactly the later ones.",
            *ERRORS,
            text(200, "Updates until the task ends or needs input.", EVENTS),
            error(410, "The updates after that number are no longer stored."),
            parameters=(VERSION, LAST_SEEN),
        )
        for method, name in (("GET", "subscribe"), ("POST", "subscribeByPost"))
    ),
    *(
        operation(
            f"{method} {TASK}/pushNotificationConfigs",
            name,
            "Refused: the host sends no push notifications.",
            *ERRORS,
            parameters=(VERSION,),
        )
        for method, name in (("GET", "push"), ("POST", "pushByPost"))
    ),
)

_ID: Json = {"type": "string", "minLength": 1, "maxLength": 200}
_MESSAGE = object_with(
    {
        "messageId": _ID,
        "role": {"enum": ["ROLE_USER"]},
        "parts": array(object_with({"text": STRING}), minItems=1),
        "taskId": {"type": "string", "description": "The task to reply to."},
        "contextId": STRING,
    },
    "taskId",
    "contextId",
)
_CONFIGURATION = object_with(
    {"returnImmediately": {"type": "boolean"}}, "returnImmediately"
)
_ERROR = object_with(
    {"code": {"type": "integer"}, "message": STRING, "data": {"type": "array"}}, "data"
)
SCHEMAS: Json = {
    "AgentCard": {
        "type": "object",
        "description": "A2A's AgentCard.",
        "required": ["name", "supportedInterfaces", "capabilities", "skills"],
    },
    "Task": object_with({"id": STRING, "status": OBJECT}, description="A2A's Task."),
    "SendMessageRequest": object_with(
        {"message": _MESSAGE, "configuration": _CONFIGURATION},
        "configuration",
        description="A2A's SendMessageRequest; its required fields.",
    ),
    "Call": object_with(
        {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer"]},
            "method": STRING,
            "params": OBJECT,
        },
        "id",
        "params",
    ),
    "CallAnswer": object_with(
        {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "number", "null"]},
            "result": OBJECT,
            "error": _ERROR,
        },
        "result",
        "error",
        oneOf=[{"required": ["result"]}, {"required": ["error"]}],
    ),
}
