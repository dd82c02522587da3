"""Tests of the limit of ids: an open task keeps its ids in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.protocol.a2a_objects import MAX_ID
from host.protocol.a2a_parser import parse_list, parse_response, parse_task

Json = dict[str, Any]
PART = {"text": "x"}


def status_update(message_id: str = "m1", context_id: str = "c1") -> Json:
    message = {"messageId": message_id, "role": "ROLE_AGENT", "parts": [PART]}
    status = {"state": "TASK_STATE_WORKING", "message": message}
    ids = {"taskId": "t1", "contextId": context_id}
    return {"statusUpdate": ids | {"status": status}}


def chunk(artifact_id: str = "a1", name: str = "report") -> Json:
    artifact = {"artifactId": artifact_id, "name": name, "parts": [PART]}
    return {"artifactUpdate": {"taskId": "t1", "contextId": "c1", "artifact": artifact}}


@pytest.mark.parametrize("with_unknown_field", [False, True])
@pytest.mark.parametrize(
    ("build", "field"),
    [
        (status_update, "message_id"),
        (status_update, "context_id"),
        (chunk, "artifact_id"),
        (chunk, "name"),
    ],
)
def test_update_with_an_id_over_the_limit_is_refused(
    build: Any, field: str, *, with_unknown_field: bool
) -> None:
    more = {"unknown": 1} if with_unknown_field else {}
    at_limit = build(**{field: "ä" * MAX_ID}) | more
    beyond = build(**{field: "ä" * (MAX_ID + 1)}) | more

    assert parse_response(json.dumps(at_limit).encode())
    with pytest.raises(ValueError, match=f"length <= {MAX_ID}"):
        parse_response(json.dumps(beyond).encode())


def test_task_with_an_id_over_the_limit_is_refused() -> None:
    task = {"id": "t" * (MAX_ID + 1), "status": {"state": "TASK_STATE_WORKING"}}

    with pytest.raises(ValueError, match=f"length <= {MAX_ID}"):
        parse_task(json.dumps(task).encode())


@pytest.mark.parametrize("status", [{"state": "TASK_STATE_WORKING"}, {"state": 99}])
def test_list_with_an_id_over_the_limit_is_refused(status: Json) -> None:
    ids = ["t" * MAX_ID, "u" * (MAX_ID + 1)]
    page = {"tasks": [{"id": task_id, "status": status} for task_id in ids]}

    with pytest.raises(ValueError, match="id of over 2,048 characters"):
        parse_list(json.dumps(page).encode())
    del page["tasks"][1]
    assert [task.task_id for task in parse_list(json.dumps(page).encode())[0]] == ids[
        :1
    ]
