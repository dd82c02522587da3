"""Valid inputs of an agent or a client, as bytes, which mutations.py changes."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import ParseDict

from tests.fuzz.fake_http import SECRET
from tests.fuzz.hostile import CARD, UPDATES

Json = dict[str, Any]

STATUS_V03: Json = {
    "state": "working",
    "timestamp": "2026-11-23T12:00:00Z",
    "message": {
        "kind": "message",
        "messageId": "m1",
        "role": "agent",
        "parts": [
            {"kind": "text", "text": "caf\u00e9 \U0001f600"},
            {"kind": "data", "data": {"a": [1, 2.5, None]}},
            {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "text/plain"}},
        ],
        "metadata": {"x": 1},
    },
}
ARTIFACT_V03: Json = {"artifactId": "a", "parts": [{"kind": "text", "text": "b"}]}
TASK_V03: Json = {"kind": "task", "id": "t1", "contextId": "c1", "status": STATUS_V03}
UPDATES_V03: list[Json] = [
    {**TASK_V03, "history": [STATUS_V03["message"]], "artifacts": [ARTIFACT_V03]},
    {
        "kind": "status-update",
        "taskId": "t1",
        "contextId": "c1",
        "status": STATUS_V03,
        "final": True,
    },
    {
        "kind": "artifact-update",
        "taskId": "t1",
        "contextId": "c1",
        "artifact": ARTIFACT_V03,
        "append": True,
    },
    STATUS_V03["message"],
]
CARD_V03: Json = {
    **{key: CARD[key] for key in ("name", "description", "version", "url", "skills")},
    "protocolVersion": "0.3.0",
    "preferredTransport": "JSONRPC",
    "additionalInterfaces": [{"url": "x:1", "transport": "GRPC"}],
    "capabilities": {"streaming": True},
    "securitySchemes": {
        "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://x"},
        "basic": {"type": "http", "scheme": "basic"},
    },
    "security": [{"oidc": ["a"]}, {"basic": []}],
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "supportsAuthenticatedExtendedCard": True,
}
PAGE: Json = {
    "tasks": [update["task"] for update in UPDATES if "task" in update] * 3,
    "nextPageToken": "2",
    "pageSize": 50,
    "totalSize": 100,
}
ERROR: Json = {"code": -32001, "message": "Task not found", "data": [{"reason": "x"}]}


def as_json(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def envelope(result: Any) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def as_protobuf(update: Json) -> bytes:
    return ParseDict(update, pb.StreamResponse()).SerializeToString()


def as_sse(*bodies: bytes) -> bytes:
    return b"".join(b"id: 7\nevent: message\ndata: " + b + b"\n\n" for b in bodies)


def as_chunks(body: bytes, head: bytes = b"text/event-stream") -> bytes:
    sizes = b"%x;a=b\r\n%b\r\n" * 2 + b"0\r\nX-Trailer: 1\r\n\r\n"
    half = len(body) // 2
    return (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: "
        + head
        + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        + sizes % (half, body[:half], len(body) - half, body[half:])
    )


updates = as_json(*UPDATES, {"statusUpdate": {"status": {"state": "working"}}})
updates_v03 = as_json(*UPDATES_V03)
calls = as_json(*map(envelope, UPDATES), {"jsonrpc": "2.0", "id": 1, "error": ERROR})
calls_v03 = as_json(*map(envelope, UPDATES_V03))
secret = as_json(envelope({"message": {"messageId": "m", "parts": [{"text": SECRET}]}}))
sse = [
    b"\xef\xbb\xbf" + as_sse(*calls[:2]),
    as_sse(calls[2], *secret, calls_v03[1]).replace(b"\n", b"\r\n"),
    b": ping\n\n" + calls[0].join([b"data:", b"\n\n"]),
    b"data: {\ndata: }\n\nevent: error\ndata: no\n\nretry: 5\n\ndata: ping\n\n",
    as_sse(calls[-1]),
]
lines = [
    b"\n".join(updates[:2]) + b"\n",
    b"\r\n".join(updates_v03[2:]),
    json.dumps(UPDATES[0], indent=1).encode(),
    b'{"a": [1, 2,],}\n{"b": {},}\n',
]
compressed = [
    *map(gzip.compress, [*sse[:2], lines[0], b"0" * 100_000]),
    zlib.compress(sse[0]),
    zlib.compress(sse[0])[2:-4],
]
responses = [
    *map(as_chunks, sse),
    as_chunks(lines[0], b"application/json"),
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(sse[0]), sse[0]),
    b"HTTP/1.0 200\r\nContent-Type: text/event-stream\r\n\r\n" + sse[2],
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n"
    b"Content-Length: 0\r\n\r\n",
]
cards = as_json(CARD, CARD_V03)
pages = as_json(PAGE, PAGE["tasks"], envelope(PAGE), {"tasks": []})
protobuf = list(map(as_protobuf, UPDATES))
commas = [b'{"a": [1, 2,], "b": {"c": "d,]",},}', b"[[1,],\n[2 ,\t]\n,]", *updates]
requests = [
    b"GET /feed?agent=a&agent=b HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
    b"Accept: */*\r\n\r\n",
    b"POST /a2a/carly HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: "
    b"application/json\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost: [::1]:8000"
    b"\r\nConnection: close\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: localhost:8000\r\nOrigin: http://evil.example\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: 127.0.0.1:8000\r\nCookie: courtside=a.b.c\r\n"
    b"Authorization: Basic YTpi\r\nExpect: 100-continue\r\nUpgrade: h2c\r\n\r\n",
]
