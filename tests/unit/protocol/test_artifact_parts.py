"""Tests which parts of an artifact are new."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.protocol.artifact_parts import new_parts

Parts = list[dict[str, Any]]
FILE = {"url": "https://x.example/a.pdf", "filename": "a.pdf"}
DATA = {"data": {"n": 1}}
PLAIN = {"mediaType": "text/plain"}


def texts(*words: str, **more: Any) -> Parts:
    return [{"text": text, **more} for text in words]


@pytest.mark.parametrize(
    ("recorded", "current", "new"),
    [
        ([], texts("one"), texts("one")),
        (texts("one"), texts("one"), []),
        (texts("one"), texts("one", "two"), texts("two")),
        (texts("1", "2"), texts("1", "2", "3", "4"), texts("3", "4")),
        # A part has grown.
        (texts("one"), texts("one two"), texts(" two")),
        (texts("one"), texts("one two", "3"), texts(" two3")),
        (texts("one", **PLAIN), texts("one two", **PLAIN), texts(" two", **PLAIN)),
        # The same text, joined or split.
        (texts("one", " two"), texts("one two"), []),
        (texts("one two"), texts("one", " two"), []),
        (texts("one", " two"), texts("one two 3"), texts(" 3")),
        (texts("one two"), texts("one", " two", " 3"), texts(" 3")),
        ([*texts("1", "2"), FILE], [*texts("12"), FILE, DATA], [DATA]),
        # Fewer parts than recorded: the agent dropped some.
        (texts("one", "two"), texts("one"), []),
        (texts("one two"), texts("one"), []),
        (texts("one"), [], []),
        ([FILE, DATA], [FILE], []),
        # Changed.
        (texts("draft"), texts("final"), None),
        (texts("one", "draft"), texts("one", "final"), None),
        (texts("one"), texts("one two", **PLAIN), None),
        ([DATA], [{"data": {"n": 2}}], None),
        ([DATA], [FILE, DATA], None),
        (texts("one"), [FILE], None),
        ([FILE], texts("one"), None),
    ],
)
def test_only_the_parts_after_the_recorded_ones_are_new(
    recorded: Parts, current: Parts, new: Parts | None
) -> None:
    assert new_parts(recorded, current) == new


some_parts = st.lists(
    st.sampled_from([*texts("", "a", "b", "ab"), *texts("a", **PLAIN), FILE, DATA]),
    max_size=6,
)


def run_together(parts: Parts) -> list[Any]:
    """Return the letters of the text parts with their types, and all other parts."""
    return [
        (item, part.get("mediaType"))
        for part in parts
        for item in part.get("text", [part])
    ]


@settings(derandomize=True, deadline=None)
@given(some_parts, some_parts)
def test_recorded_and_new_parts_are_all_parts(recorded: Parts, current: Parts) -> None:
    before = deepcopy((recorded, current))

    new = new_parts(recorded, current)

    assert (recorded, current) == before
    before_letters, after_letters = run_together(recorded), run_together(current)
    if new is None:
        assert (
            before_letters != after_letters[: len(before_letters)]
            and after_letters != before_letters[: len(after_letters)]
        )
    else:
        assert before_letters + run_together(new) == (
            after_letters
            if len(after_letters) > len(before_letters)
            else before_letters
        )


@settings(derandomize=True, deadline=None)
@given(some_parts, some_parts)
def test_appended_parts_are_new(recorded: Parts, more: Parts) -> None:
    assert new_parts(recorded, recorded + more) == more
