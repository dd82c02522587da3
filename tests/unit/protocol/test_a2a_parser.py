"""Tests parsing the A2A objects that an agent sends, including unusual ones.

host/protocol/a2a_parser.py with host/protocol/lenient_json.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from host.model.timestamps import parse_timestamp
from host.protocol import lenient_json
from host.protocol.a2a_objects import RESUMABLE, Part, Status, StreamResponse, join_text
from host.protocol.a2a_parser import parse_list, parse_response, parse_task

Json = dict[str, Any]


def parsed(value: Any) -> StreamResponse:
    return parse_response(json.dumps(value).encode())


def status_update(**fields: Any) -> Json:
    return {"statusUpdate": {"taskId": "t1", "status": fields}}


def status_of(value: Json) -> Status:
    update = parsed(value).status_update
    assert update
    return update.status


def parts_of(*parts: Json) -> list[Part]:
    update = parsed({"artifactUpdate": {"artifact": {"parts": list(parts)}}})
    assert update.artifact_update
    return update.artifact_update.artifact.parts


@pytest.mark.parametrize(
    ("response", "task_id"),
    [
        ({"task": {"id": "t1"}}, "t1"),
        ({"statusUpdate": {"taskId": "t2", "status": {}}}, "t2"),
        ({"artifactUpdate": {"taskId": "t3", "artifact": {}}}, "t3"),
        ({"statusUpdate": {"status": {}}}, None),
        ({"message": {"messageId": "m1", "taskId": "t4"}}, None),
        ({"task": {"id": 5}}, "5"),
        ({"statusUpdate": {"taskId": 6, "contextId": 1, "status": {}}}, "6"),
    ],
)
def test_response_names_the_task_that_it_updates(
    response: Json, task_id: str | None
) -> None:
    assert parsed(response).task_id == task_id


def test_numeric_ids_of_messages_and_artifacts_are_read_as_text() -> None:
    part = {"text": "hi"}
    message = {"messageId": 12, "contextId": 3, "parts": [part]}
    artifact = {"artifactId": 0, "parts": [part]}

    status = status_of(status_update(message=message))
    update = parsed({"artifactUpdate": {"taskId": 9, "artifact": artifact}})

    assert status.message
    assert (status.message.message_id, status.message.context_id) == ("12", "3")
    assert update.artifact_update
    assert update.artifact_update.artifact.artifact_id == "0"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"task"',
        b"{}",
        b'{"weather": {}}',
        b'{"task": null}',
        b'{"task": {}}',
        b'{"task": {"contextId": "c1"}}',
        b'{"task": {"task": {"id": "t1"}}}',
        b'{"task": {"id": "t1"}, "message": {"messageId": "m1"}}',
        b'{"task": {"id": 7.5}}',
        b'{"task": {"id": "t1", "history": [null]}}',
        b'{"statusUpdate": {"taskId": "t1", "status": []}}' * 2,
        b'{"artifactUpdate": {"append": "yes"}}',
        b"[" * 100_000,
        b'{"task":' * 100_000,
        b'{"task": {"id": "t1", "metadata": {"a": ' + b"[" * 150 + b"]" * 150 + b"}}}",
    ],
)
def test_other_json_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".{5}"):
        parse_response(data)


@pytest.mark.parametrize("digits", ["1" + "0" * 9_000, "-" + "9" * 700, "1e400"])
def test_number_that_nothing_can_hold_is_read_as_null(digits: str) -> None:
    sent = f'{{"task": {{"id": 1, "metadata": {{"a": {digits}, "b": 2}}}}}}'

    task = parse_response(sent.encode()).task

    assert task and task.metadata == {"a": None, "b": 2}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.just(10**400)
    | st.text(max_size=3)
    | st.just("\ud83d"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "task",
                    "message",
                    "statusUpdate",
                    "artifactUpdate",
                    "status",
                    "id",
                    "taskId",
                    "parts",
                    "history",
                    "artifact",
                    "metadata",
                    "state",
                    "role",
                    "timestamp",
                    "data",
                    "raw",
                    "tasks",
                    "result",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None)
@given(anything | st.binary(max_size=10))
def test_any_bytes_are_parsed_or_raise_value_error(
    value: Any,
) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    for read in (parse_response, parse_task, parse_list):
        try:
            read(data)
        except ValueError as refused:
            assert str(refused)


class TestUnusualUpdate:
    """The SDK's parser parses each of them."""

    @pytest.mark.parametrize(
        "response",
        [
            {"status_update": {"task_id": "t1", "status": {"state": 2}}},
            {"statusUpdate": {"taskId": "t1", "status": {"state": "2"}}},
            {"statusUpdate": {"taskId": "t1", "status": {"state": 2.0}, "x": {}}},
            {
                "statusUpdate": {
                    "taskId": "t1",
                    "metadata": None,
                    "status": {"state": 2},
                }
            },
            {"task": None, **status_update(state="TASK_STATE_WORKING", mood="calm")},
            {"kind": "status-update", **status_update(state="TASK_STATE_WORKING")},
        ],
        ids=["snake", "digits", "float", "unknown", "nulls", "kind"],
    )
    def test_with_other_names_numbers_nulls_or_later_fields_is_parsed(
        self, response: Json
    ) -> None:
        assert parsed(response) == parsed(status_update(state="TASK_STATE_WORKING"))

    @pytest.mark.parametrize(
        "state", ["TASK_STATE_OF_A_LATER_PROTOCOL", "busy", "", 42, None, [], -1.5]
    )
    def test_unknown_state_is_unspecified(self, state: Any) -> None:
        assert status_of(status_update(state=state)).state == "TASK_STATE_UNSPECIFIED"

    @pytest.mark.parametrize(
        "stamp", [None, 1763812800, "yesterday", "", {}, "2026-13-01T00:00:00Z"]
    )
    def test_invalid_timestamp_does_not_lose_the_update(self, stamp: Any) -> None:
        status = status_of(status_update(state=2, timestamp=stamp))

        assert (status.state, status.timestamp) == ("TASK_STATE_WORKING", None)

    def test_timestamp_without_a_zone_is_utc(self) -> None:
        status = status_of(status_update(state=2, timestamp="2026-11-22T12:00:00.5"))

        assert parse_timestamp(status.timestamp or "") == "2026-11-22T12:00:00.500Z"

    def test_text_cut_within_an_emoji_is_kept(self) -> None:
        """JavaScript can cut between surrogates. UTF-8 and protobuf have no halves."""
        assert join_text(parts_of({"text": "done \ud83d"})) == "done \ufffd"

    def test_bytes_that_are_not_utf_8_are_replaced(self) -> None:
        data = json.dumps(status_update(message={"parts": [{"text": "?"}]})).encode()

        update = parse_response(data.replace(b"?", b"\xff")).status_update

        assert update and update.status.message
        assert join_text(update.status.message.parts) == "\ufffd"

    def test_numbers_that_json_does_not_have_are_null(self) -> None:
        data = b'{"task": {"id": "t1", "metadata": {"a": NaN, "b": 1e400, "c": 1}}}'

        task = parse_response(data).task

        assert task and task.metadata == {"a": None, "b": None, "c": 1}

    def test_text_beside_nulls_is_the_content(self) -> None:
        """To the SDK's parser, `data: null` is content that replaces the text."""
        nulls = {"text": "hello", "raw": None, "url": None, "data": None}

        assert parts_of(nulls) == [Part(text="hello")]

    @pytest.mark.parametrize("raw", ["aGk_", "aGk/", "aGk"])
    def test_bytes_are_read_in_each_form_of_base64(self, raw: str) -> None:
        assert parts_of({"raw": raw})[0].raw in (b"hi?", b"hi")


def test_empty_text_is_a_text() -> None:
    assert parts_of({"text": ""}) == [Part(text="")]
    assert parts_of({"filename": "a.txt"})[0].text is UNSET


def test_large_task_is_parsed_by_the_fast_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = {"messageId": "m1", "role": "ROLE_AGENT", "parts": [{"text": "{[{["}]}
    task = {"task": {"id": "t1", "history": [message] * 200}}
    monkeypatch.delattr(lenient_json, "normalize")

    response = parsed(task)

    assert response.task and len(response.task.history) == 200


def test_texts_of_parts_are_joined_by_line_ends() -> None:
    parts = [Part(text="one"), Part(data={"n": 1}), Part(text=""), Part(text="two")]

    assert join_text(parts) == "one\ntwo"


@pytest.mark.parametrize("kind", ["task", "statusUpdate", "artifactUpdate"])
@pytest.mark.parametrize(
    ("extension", "sequence"),
    [
        ({"sequence": 1}, 1),
        ({"sequence": 3}, 3),
        ({"sequence": 3.0}, 3),
        ({"sequence": 2**53}, 2**53),
        ({"sequence": 0}, None),
        ({"sequence": -1}, None),
        ({"sequence": 1.5}, None),
        ({"sequence": True}, None),
        ({"sequence": "3"}, None),
        ({"sequence": 2**60}, None),
        ({"sequence": None}, None),
        ({}, None),
        ([3], None),
        (None, None),
    ],
)
def test_update_has_the_number_that_its_agent_gave_it(
    kind: str, extension: Any, sequence: int | None
) -> None:
    update = parsed({kind: {"id": "t1", "metadata": {RESUMABLE: extension}}}).update

    assert update and update.sequence == sequence
