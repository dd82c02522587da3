"""The A2A objects that a stream carries, out of their JSON.

host/a2a.py; what becomes of them is in test_host_translate.py.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import a2a


def parsed(value: Any) -> a2a.StreamResponse:
    return a2a.parse(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("response", "task_id"),
    [
        ({"task": {"id": "t1"}}, "t1"),
        ({"statusUpdate": {"taskId": "t2", "status": {}}}, "t2"),
        ({"artifactUpdate": {"taskId": "t3", "artifact": {}}}, "t3"),
        ({"message": {"messageId": "m1", "taskId": "t4"}}, None),
        ({}, None),
    ],
)
def test_a_response_names_the_task_that_it_updates(
    response: dict[str, Any], task_id: str | None
) -> None:
    assert parsed(response).task_id == task_id


def test_fields_of_a_later_protocol_are_ignored() -> None:
    later = {"task": {"id": "t1", "mood": "calm"}, "weather": {"sky": "blue"}}

    assert parsed(later) == parsed({"task": {"id": "t1"}})


def test_the_text_of_parts_is_one_below_the_other() -> None:
    parts: list[dict[str, Any]]
    parts = [{"text": "one"}, {"data": {"n": 1}}, {"text": ""}, {"text": "two"}]

    assert a2a.text_of(parts) == "one\ntwo"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("task", "message", "statusUpdate", "artifactUpdate", "status"),
                    *("id", "taskId", "parts", "history", "artifact", "metadata"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(derandomize=True, deadline=None)
@given(anything | st.binary(max_size=10))
def test_what_is_no_response_is_refused_in_one_way(value: Any) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        a2a.parse(data)
    except msgspec.DecodeError as refused:
        assert str(refused)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"task":' * 100_000])
def test_a_bottomless_response_is_refused_too(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError)):
        a2a.parse(data)
