"""Tests that results of GetTask and ListTasks are found in any object.

host/protocol/a2a_parser.py. test_a2a_parser.py tests the updates of a stream.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from host.protocol.a2a_objects import ListedTask
from host.protocol.a2a_parser import parse_list, parse_task

Json = dict[str, Any]
TASK: Json = {"id": "t1", "status": {"state": "TASK_STATE_WORKING"}}


class TestTask:
    @pytest.mark.parametrize(
        "answer",
        [
            TASK,
            {"task": TASK},
            {"result": TASK},
            {"data": TASK},
            {"jsonrpc": "2.0", "id": "1", "result": TASK},
            TASK | {"kind": "task"},
            TASK | {"metadata": None},
        ],
        ids=["as it is", "task", "result", "any", "rpc", "kind", "null"],
    )
    def test_is_found_in_any_object(self, answer: Json) -> None:
        task = parse_task(json.dumps(answer).encode())

        assert (task.id, task.status.state) == ("t1", "TASK_STATE_WORKING")

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"id": ""},
            {"task": {}},
            {"id": "", "status": {}, "metadata": {"id": "m"}},
            {"id": 7.5, "status": {}},
            [],
        ],
    )
    def test_without_an_id_is_refused(self, answer: Any) -> None:
        with pytest.raises(ValueError, match=r".{5}"):
            parse_task(json.dumps(answer).encode())

    def test_is_parsed_from_a_part_of_a_larger_response(self) -> None:
        task = parse_task(msgspec.Raw(json.dumps(TASK).encode()))

        assert task.id == "t1"


class TestListed:
    def test_tasks_have_id_state_and_timestamp(self) -> None:
        status = {"state": "TASK_STATE_WORKING", "timestamp": "2026-11-22T12:00:00"}
        page = {
            "tasks": [
                {"id": "t1", "contextId": "c1", "status": status, "history": [None]},
                {"id": "t2"},
            ],
            "nextPageToken": "p2",
            "pageSize": 2,
            "totalSize": 9,
        }

        assert parse_list(json.dumps(page).encode()) == (
            [
                ListedTask("t1", "TASK_STATE_WORKING", "2026-11-22T12:00:00.000Z"),
                ListedTask("t2", "TASK_STATE_UNSPECIFIED", None),
            ],
            "p2",
        )

    @pytest.mark.parametrize(
        "page",
        [
            {},
            {"tasks": []},
            {"tasks": None, "nextPageToken": ""},
            {"nextPageToken": None, "totalSize": "0"},
            {"result": {"tasks": []}},
        ],
    )
    def test_empty_page_is_the_last(self, page: Json) -> None:
        assert parse_list(json.dumps(page).encode()) == ([], None)

    def test_unreadable_task_does_not_lose_the_others(self) -> None:
        page = {
            "tasks": [
                {"id": "t1", "status": {"state": 2, "timestamp": 17}},
                {"id": "t2", "status": {"state": [], "message": 7}},
                {"id": 3, "status": {}},
                None,
                {"status": {}},
            ],
            "next_page_token": "p2",
        }

        tasks, token = parse_list(json.dumps(page).encode())

        assert tasks == [
            ListedTask("t1", "TASK_STATE_WORKING", None),
            ListedTask("t2", "TASK_STATE_UNSPECIFIED", None),
            ListedTask("3", "TASK_STATE_UNSPECIFIED", None),
        ]
        assert token == "p2"

    def test_bare_list_is_read(self) -> None:
        bare = [{"id": "t1", "status": {"state": "TASK_STATE_WORKING"}}]

        tasks, token = parse_list(json.dumps(bare).encode())

        assert tasks == [ListedTask("t1", "TASK_STATE_WORKING", None)]
        assert token is None

    def test_numbers_are_read_as_ids_and_tokens(self) -> None:
        page = {"tasks": [{"id": 17, "contextId": 3}], "nextPageToken": 2}

        tasks, token = parse_list(json.dumps(page).encode())

        assert ([task.task_id for task in tasks], token) == (["17"], "2")

    @pytest.mark.parametrize(
        ("page", "reason"),
        [
            ("tasks", "object"),
            (None, "null"),
            ({"tasks": "t1"}, "str"),
            ({"tasks": {}}, "dict"),
            ({"tasks": [{}]}, "id"),
            ({"tasks": [{"taskId": "t1"}]}, "id"),
            ({"items": []}, "items"),
            ({"data": {"tasks": []}}, "data"),
            ({"error": "store is down"}, "store is down"),
            ({"error": {"code": 7, "message": "admins only"}}, "admins only"),
            ({"error": {"code": 7}, "tasks": []}, "code"),
            ({"result": {"error": "quota"}}, "quota"),
        ],
    )
    def test_other_json_is_refused(self, page: Any, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            parse_list(json.dumps(page).encode())
