"""An A2A agent that repeats texts in everything it sends: its card, tasks, ids,
messages, artifacts, metadata, errors and headers.

It writes each secret in several encodings.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from tests.support.reply_server import ReceivedRequest, Reply

Json = dict[str, Any]
ESCAPED = "@escaped@"
"""Stands for a secret of which JSON escapes each character."""
TASK = "quiet-task"
WORKING, COMPLETED = "TASK_STATE_WORKING", "TASK_STATE_COMPLETED"


def encodings(secret: str) -> list[str]:
    """Return the secret as it is, URL-encoded, and in Base64 at any place."""
    data = secret.encode()
    percents = "".join(f"%{byte:02x}" for byte in data)
    texts = [secret, percents, percents.upper(), quote(secret), quote(secret, "")]
    texts += [quote_plus(secret), json.dumps(secret)[1:-1]]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        texts += [encode(bytes(offset) + data).decode() for offset in range(3)]
    return list(dict.fromkeys(texts))


class EchoingAgent:
    """Call it with a request. `secrets` may grow while it runs."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self.secrets = secrets

    def __call__(self, seen: ReceivedRequest) -> Reply:
        if seen.target.partition("?")[0].startswith("/.well-known/"):
            return self._reply(self._card(f"http://{seen.headers['host']}/a2a"))
        if not seen.body:
            return Reply(404, self._encode({"detail": self.text("page")}))
        call = json.loads(seen.body)
        if call["method"] in ("SubscribeToTask", "SendStreamingMessage"):
            return self._stream(call)
        return self._reply({"id": call["id"], "jsonrpc": "2.0"} | self._answer(call))

    def text(self, place: str) -> str:
        """Return `place` with all secrets in all encodings."""
        echoed = [text for secret in self.secrets for text in encodings(secret)]
        return " ".join((place, *echoed, ESCAPED))

    def _answer(self, call: Json) -> Json:
        if call["method"] == "ListTasks":
            tasks = [self._task(TASK), self._task(f"other-{self.secrets[0]}")]
            return {"result": {"tasks": tasks, "nextPageToken": ""}}
        if call["method"] == "GetTask" and call["params"]["id"] == TASK:
            return {"result": self._task(TASK)}
        error = {
            "code": -32603,
            "message": self.text("refusal"),
            "data": [self._data()],
        }
        return {"error": error}

    def _stream(self, call: Json) -> Reply:
        if call["method"] == "SendStreamingMessage":
            message = {"messageId": "m1", "role": "ROLE_AGENT", "parts": self._parts()}
            results: list[Json] = [{"message": message}]
        else:
            task = call["params"]["id"]
            results = [
                {"task": self._task(task)},
                {"statusUpdate": self._ids(task) | {"status": self._status(WORKING)}},
                {"artifactUpdate": self._ids(task) | {"artifact": self._artifact()}},
                {"unknown": self.text("unusable")},
                {"statusUpdate": self._ids(task) | {"status": self._status(COMPLETED)}},
            ]
        envelopes = [{"jsonrpc": "2.0", "id": 1, "result": one} for one in results]
        body = "".join(f"data: {self._encode(one)}\n\n" for one in envelopes)
        return Reply(body=body, headers=self._headers("text/event-stream"))

    def _task(self, task: str) -> Json:
        user = {"messageId": "m0", "role": "ROLE_USER", "parts": self._parts()}
        return {
            "id": task,
            "contextId": self.text("context"),
            "status": self._status(WORKING),
            "history": [user],
            "metadata": self._data(),
        }

    def _ids(self, task: str) -> Json:
        metadata = self._data()
        return {
            "taskId": task,
            "contextId": self.text("context"),
            "metadata": metadata,
        }

    def _status(self, state: str) -> Json:
        message = {
            "messageId": f"m-{self.text(state)}",
            "role": "ROLE_AGENT",
            "parts": self._parts(),
        }
        return {"state": state, "message": message}

    def _artifact(self) -> Json:
        names = {"artifactId": self.text("artifact"), "name": self.text("artifact")}
        return {**names, "parts": self._parts(), "metadata": self._data()}

    def _parts(self) -> list[Json]:
        return [{"text": self.text("part")}, {"data": self._data()}]

    def _data(self) -> Json:
        return {"key": {self.text("name"): [self.text("value")]}}

    def _card(self, url: str) -> Json:
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        skill = {"id": "s", "name": self.text("skill"), "tags": [self.text("tag")]}
        return {
            "name": self.text("card"),
            "description": self.text("description"),
            "version": self.text("version"),
            "supportedInterfaces": [interface],
            "capabilities": {"streaming": True},
            "skills": [
                {**skill, "description": "d", "examples": [self.text("example")]}
            ],
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
        }

    def _reply(self, body: Json) -> Reply:
        return Reply(body=self._encode(body), headers=self._headers("application/json"))

    def _headers(self, kind: str) -> dict[str, str]:
        echoed = quote(self.secrets[0]) if self.secrets else ""
        return {"content-type": kind, "x-echo": echoed}

    def _encode(self, value: Json) -> str:
        text = json.dumps(value, ensure_ascii=False)
        escapes = "".join(
            f"\\u{ord(letter):04x}" for secret in self.secrets for letter in secret
        )
        return text.replace(ESCAPED, escapes)
