"""Tests of host/protocol/parts_digest.py: a hash tells which parts are new."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.protocol.parts_digest import PartsDigest

Parts = list[dict[str, Any]]
FILE = {"url": "https://x.example/a.pdf", "filename": "a.pdf"}
DATA = {"data": {"n": 1, "a": [1]}}
PLAIN = {"mediaType": "text/plain"}


def texts(*words: str, **more: Any) -> Parts:
    return [{"text": text, **more} for text in words]


def digest_of(parts: Parts) -> PartsDigest:
    digest = PartsDigest()
    for part in parts:
        digest.add([part])
    return digest


@pytest.mark.parametrize(
    ("recorded", "current", "new"),
    [
        ([], texts("one"), texts("one")),
        (texts("one"), texts("one"), []),
        (texts("one"), texts("one", "two"), texts("two")),
        (texts("one"), texts("one two", "3"), texts(" two", "3")),
        (texts("one", **PLAIN), texts("one two", **PLAIN), texts(" two", **PLAIN)),
        (texts("one", " two"), texts("one two"), []),
        (texts("one two"), texts("one", " two", " 3"), texts(" 3")),
        ([*texts("1", "2"), FILE], [*texts("12"), FILE, DATA], [DATA]),
        ([DATA, FILE], [{"data": {"a": [1], "n": 1}}, FILE], []),
        (texts("é"), texts("éü"), texts("ü")),
        # The agent kept less than it sent.
        (texts("one", "two"), texts("one"), []),
        ([FILE, DATA], [FILE], []),
        # Changed.
        (texts("draft"), texts("final"), None),
        (texts("one"), texts("one two", **PLAIN), None),
        (texts("one"), texts("final two"), None),
        ([DATA], [{"data": {"n": 2, "a": [1]}}], None),
        (texts("é"), texts("a\U0001f600"), None),
        ([FILE], texts("a long text, longer than the part before, by far" * 9), None),
    ],
)
def test_only_the_parts_after_the_recorded_ones_are_new(
    recorded: Parts, current: Parts, new: Parts | None
) -> None:
    assert digest_of(recorded).new_parts(current) == new


words = st.text("aä\u20ac\U0001f600", max_size=4)
some_parts = st.lists(
    st.builds(lambda text: {"text": text}, words)
    | st.builds(lambda text: {"text": text, **PLAIN}, words.filter(bool))
    | st.sampled_from([FILE, DATA]),
    max_size=6,
)


@settings(derandomize=True, deadline=None)
@given(some_parts, some_parts)
def test_recorded_and_new_parts_together_are_the_current_ones(
    recorded: Parts, added: Parts
) -> None:
    current = [*recorded, *added]

    rest = digest_of(recorded).new_parts(current)

    assert rest is not None
    assert digest_of([*recorded, *rest]).equals(current)


@settings(derandomize=True, deadline=None)
@given(some_parts, some_parts)
def test_equal_means_without_new_parts_both_ways(one: Parts, other: Parts) -> None:
    digest = digest_of(one)

    if digest.equals(other):
        assert digest.new_parts(other) == digest_of(other).new_parts(one) == []
        assert digest.copy().equals(other)
