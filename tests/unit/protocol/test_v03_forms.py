"""Forms of A2A 0.3 in responses of 1.0, as half-migrated agents send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.protocol.a2a_objects import StreamResponse
from host.protocol.a2a_parser import parse_list, parse_response, parse_task

Json = dict[str, Any]
PARTS_V03: list[Json] = [
    {"kind": "text", "text": "hi"},
    {"kind": "file", "file": {"uri": "https://x/a.png", "mimeType": "image/png"}},
]
PARTS: list[Json] = [
    {"text": "hi"},
    {"url": "https://x/a.png", "mediaType": "image/png"},
]
MESSAGE_V03 = {"kind": "message", "messageId": "m", "role": "agent", "parts": PARTS_V03}
MESSAGE = {"messageId": "m", "role": "ROLE_AGENT", "parts": PARTS}
STATUS_V03 = {"state": "input-required", "message": MESSAGE_V03}
STATUS = {"state": "TASK_STATE_INPUT_REQUIRED", "message": MESSAGE}
IDS = {"taskId": "t", "contextId": "c"}
ARTIFACT = {"artifactId": "a", "parts": PARTS}
ARTIFACT_V03 = {"artifactId": "a", "parts": PARTS_V03}


def parse(body: Json) -> StreamResponse:
    return parse_response(json.dumps(body).encode())


PAIRS: list[tuple[str, str, Json, Json]] = [
    (
        "task",
        "task",
        {"id": "t", "contextId": "c", "status": STATUS_V03, "history": [MESSAGE_V03]},
        {"id": "t", "contextId": "c", "status": STATUS, "history": [MESSAGE]},
    ),
    (
        "status-update",
        "statusUpdate",
        {**IDS, "status": STATUS_V03, "final": False},
        {**IDS, "status": STATUS},
    ),
    (
        "artifact-update",
        "artifactUpdate",
        {**IDS, "artifact": ARTIFACT_V03, "append": True, "lastChunk": True},
        {**IDS, "artifact": ARTIFACT, "append": True, "lastChunk": True},
    ),
    ("message", "message", MESSAGE_V03, MESSAGE),
]


@pytest.mark.parametrize(("kind", "field", "old", "new"), PAIRS)
def test_update_of_either_version_is_the_same_in_any_wrapper(
    kind: str, field: str, old: Json, new: Json
) -> None:
    expected = parse({field: new})

    for body in (old, new):
        assert parse(body) == expected
        assert parse({**body, "kind": kind}) == expected
        assert parse({field: {**body, "kind": kind}}) == expected
        assert parse({"kind": kind, field: body}) == expected
        assert parse({"kind": field, field: body}) == expected


@pytest.mark.parametrize(
    "state",
    ["working", "WORKING", "Working", "task_state_working", "TASK_STATE_WORKING", 2],
)
def test_state_is_read_in_any_spelling(state: str | int) -> None:
    update = parse({"statusUpdate": {**IDS, "status": {"state": state}}}).update

    assert update and update.status.state == "TASK_STATE_WORKING"  # type: ignore[union-attr]


@pytest.mark.parametrize("state", ["canceled", "cancelled", "CANCELLED"])
def test_cancelled_is_read_in_both_spellings(state: str) -> None:
    task = parse_task(json.dumps({"id": "t", "status": {"state": state}}).encode())

    assert task.status.state == "TASK_STATE_CANCELED"


def test_task_and_list_are_read_in_the_forms_of_0_3() -> None:
    _, _, old, new = PAIRS[0]
    task = parse_task(json.dumps({**old, "kind": "task"}).encode())
    assert task == parse({"task": new}).task

    listed, _ = parse_list(json.dumps({"tasks": [old]}).encode())
    assert [(one.task_id, one.state) for one in listed] == [
        ("t", "TASK_STATE_INPUT_REQUIRED")
    ]
