"""Tests of reading the begin of a JSON object that is cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.protocol.json_begin import read_begin


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", {}),
        ("[1, 2", {}),
        ("not JSON", {}),
        ('{"a": 1, "b": 2', {"a": 1}),
        ('{"a": 1, "b"', {"a": 1}),
        ('{"a": 1, "b": "tex', {"a": 1}),
        (' { "a" : {"b": [1]} , "c": [1, {"d"', {"a": {"b": [1]}}),
        ('{"result": {"id": "t", "parts": [1', {"result": {"id": "t"}}),
        ('{"result": {"task": {"id": "t", "x', {"result": {"task": {"id": "t"}}}),
        ('{"a": 1, , "b": 2}', {"a": 1}),
        ('{"a": 1, 2: 3}', {"a": 1}),
    ],
)
def test_members_before_the_cut_are_read(data: str, expected: dict[str, Any]) -> None:
    assert read_begin(data.encode()) == expected


def test_cut_within_a_character_is_read() -> None:
    assert read_begin('{"a": 1, "b": "é'.encode()[:-1]) == {"a": 1}


def test_deep_objects_are_given_up() -> None:
    assert read_begin(b'{"a":' * 100_000) != {}
    assert read_begin(b'{"a":' + b"[" * 100_000) == {}


texts = st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)


def holds(whole: object, part: object) -> bool:
    """Return whether `part` is `whole` with members left out."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and holds(whole[key], part[key]) for key in part)
    return whole == part


@given(st.dictionaries(texts, values, max_size=3), st.data())
def test_what_is_read_is_true(whole: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(whole).encode()
    size = data.draw(st.integers(0, len(text)))

    assert holds(whole, read_begin(text[:size]))
