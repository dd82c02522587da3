"""A task of the model agent: its store, and everything that the agent has sent of it.

The store works like that of the A2A SDK: the message of a status moves to the history
when the next status comes, and chunks are added to their artifact.
"""

from __future__ import annotations

import copy
import time
from typing import Any, NamedTuple

from host.protocol.a2a_objects import RESUMABLE

Json = dict[str, Any]
END = "TASK_STATE_COMPLETED"
ASKS = "TASK_STATE_INPUT_REQUIRED"
WORKS = "TASK_STATE_WORKING"


class Token(NamedTuple):
    """A text that the agent sends once: `kind` is "message" or the id of an artifact.

    `is_late` tells that it came after the end, when perhaps nobody read any more.
    """

    kind: str
    text: str
    is_late: bool = False


class Clock:
    """Gives each status its own timestamp, one millisecond apart or more."""

    def __init__(self) -> None:
        self._last_ms = 0

    def now(self) -> str:
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        seconds, ms = divmod(self._last_ms, 1_000)
        day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        return f"{day}.{ms:03}Z"


class ModelTask:
    """`updates` are those sent, the first Task included; number n has index n - 1."""

    def __init__(
        self, task_id: str, clock: Clock, *, is_numbered: bool, joins_texts: bool
    ) -> None:
        self.id = task_id
        self.sent: list[Token] = []
        self.updates: list[Json] = []
        self.is_lost = False
        self._clock = clock
        self._is_numbered = is_numbered
        self._joins_texts = joins_texts
        self._status: Json = self._build_status("TASK_STATE_SUBMITTED", None)
        self._history: list[Json] = []
        self._artifacts: dict[str, list[Json]] = {}
        self._versions: list[Json] = []
        self._add({"task": self._build_task(number=1)})

    @property
    def state(self) -> str:
        state: str = self._status["state"]
        return state

    @property
    def has_ended(self) -> bool:
        return self.state == END

    def read(self, age: int = 0) -> Json:
        """Return the Task as it was `age` updates ago."""
        return self._versions[max(0, len(self._versions) - 1 - age)]

    @property
    def stored_tokens(self) -> list[Token]:
        texts = [part["text"] for m in self._messages for part in m["parts"]]
        stored = {("message", text) for text in texts}
        for artifact_id, parts in self._artifacts.items():
            whole = "".join(part["text"] for part in parts)
            stored |= {(artifact_id, text) for text in whole.split()}
        return [token for token in self.sent if (token.kind, token.text) in stored]

    @property
    def result(self) -> str:
        texts = [
            "".join(part["text"] for part in parts)
            for parts in self._artifacts.values()
        ]
        said = [m["parts"][0]["text"] for m in self._messages if _is_agents(m)]
        return "\n\n".join(texts) or (said[-1] if said else "")

    # What the agent does. Each method returns the update to send.

    def set_status(self, state: str, text: str = "") -> Json:
        message = self._build_message(text) if text else None
        if earlier := self._status.get("message"):
            self._history.append(earlier)
        self._status = self._build_status(state, message)
        update = {"taskId": self.id, "contextId": "c", "status": self._status}
        return self._add({"statusUpdate": update})

    def add_chunk(self, artifact_id: str, text: str) -> Json:
        self.sent.append(Token(artifact_id, text, self.has_ended))
        # Chunks carry their own spaces.
        part = {"text": f"{text} "}
        parts = self._artifacts.setdefault(artifact_id, [])
        update = {
            "taskId": self.id,
            "contextId": "c",
            "artifact": {"artifactId": artifact_id, "parts": [part]},
            "append": bool(parts),
        }
        parts.append(part)
        return self._add({"artifactUpdate": update})

    def send_message(self, text: str) -> Json:
        """Send a Message within the task's stream, which A2A 1.0 does not allow."""
        message = self._build_message(text)
        if earlier := self._status.get("message"):
            self._history.append(earlier)
            self._status = {k: v for k, v in self._status.items() if k != "message"}
        self._history.append(message)
        return self._add({"message": message})

    def take_message(self, message: Json) -> None:
        """Store a message of the user."""
        self._history.append(message)
        self._versions[-1] = self._build_task(len(self.updates))

    # The JSON.

    @property
    def _messages(self) -> list[Json]:
        last = self._status.get("message")
        return [*self._history, last] if last else self._history

    def _add(self, response: Json) -> Json:
        number = len(self.updates) + 1
        response = copy.deepcopy(response)
        if self._is_numbered:
            (update,) = response.values()
            update["metadata"] = {RESUMABLE: {"sequence": number}}
        self.updates.append(response)
        self._versions.append(self._build_task(number))
        return response

    def _build_task(self, number: int) -> Json:
        artifacts = []
        for artifact_id, parts in self._artifacts.items():
            kept = parts
            if self._joins_texts:
                kept = [{"text": "".join(part["text"] for part in parts)}]
            artifacts.append({"artifactId": artifact_id, "parts": kept})
        task = {
            "id": self.id,
            "contextId": "c",
            "status": self._status,
            "history": self._history,
            "artifacts": artifacts,
        }
        if self._is_numbered:
            task["metadata"] = {RESUMABLE: {"sequence": number}}
        return copy.deepcopy(task)

    def _build_status(self, state: str, message: Json | None) -> Json:
        status: Json = {"state": state, "timestamp": self._clock.now()}
        return {**status, "message": message} if message else status

    def _build_message(self, text: str) -> Json:
        self.sent.append(Token("message", text))
        return {
            "messageId": f"id-{text}",
            "taskId": self.id,
            "contextId": "c",
            "role": "ROLE_AGENT",
            "parts": [{"text": text}],
        }


def _is_agents(message: Json) -> bool:
    return message["role"] in ("ROLE_AGENT", "agent")


# A2A 0.3.


def to_v03(response: Json) -> Json:
    """Convert a StreamResponse to the form of A2A 0.3."""
    ((kind, body),) = response.items()
    if kind == "message":
        return _message_to_v03(body)
    if kind == "artifactUpdate":
        artifact = _artifact_to_v03(body["artifact"])
        return {**body, "kind": "artifact-update", "artifact": artifact}
    status = {**body["status"]}
    status["state"] = state_to_v03(status["state"])
    if "message" in status:
        status["message"] = _message_to_v03(status["message"])
    if kind == "statusUpdate":
        is_final = status["state"] in ("completed", "input-required")
        return {**body, "kind": "status-update", "status": status, "final": is_final}
    return {
        **body,
        "kind": "task",
        "status": status,
        "history": [_message_to_v03(message) for message in body["history"]],
        "artifacts": [_artifact_to_v03(artifact) for artifact in body["artifacts"]],
    }


def state_to_v03(state: str) -> str:
    return state.removeprefix("TASK_STATE_").lower().replace("_", "-")


def _message_to_v03(message: Json) -> Json:
    if message.get("kind"):
        return message
    role = message["role"].removeprefix("ROLE_").lower()
    parts = [{"kind": "text", **part} for part in message["parts"]]
    return {**message, "kind": "message", "role": role, "parts": parts}


def _artifact_to_v03(artifact: Json) -> Json:
    parts = [{"kind": "text", **part} for part in artifact["parts"]]
    return {**artifact, "parts": parts}
