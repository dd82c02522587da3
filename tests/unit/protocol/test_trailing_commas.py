"""Trailing commas are blanked out in JSON, and nothing else."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.protocol import lenient_json, trailing_commas
from host.protocol.trailing_commas import blank_trailing_commas

# Texts that look like JSON with trailing commas.
TEXTS = st.text(st.sampled_from([*'\\",]}[{: \n', "a", "é", "😀"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
SPACES = st.text(st.sampled_from(" \t\r\n"), max_size=3)


def write(value: Any, data: st.DataObject) -> str:
    """Return JSON text, with spaces and trailing commas here and there."""
    if isinstance(value, dict):
        inner = [f"{json.dumps(k)} :{write(v, data)}" for k, v in value.items()]
        begin, end = "{}"
    elif isinstance(value, list):
        inner = [write(item, data) for item in value]
        begin, end = "[]"
    else:
        text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
        return data.draw(SPACES) + text + data.draw(SPACES)
    has_comma = data.draw(st.booleans())
    comma = "," if inner and has_comma else ""
    return begin + ",".join(inner) + comma + data.draw(SPACES) + end


@given(st.data(), OBJECTS)
def test_json_with_trailing_commas_means_the_same(
    data: st.DataObject, value: Any
) -> None:
    text = write(value, data)

    assert json.loads(blank_trailing_commas(text)) == value
    assert lenient_json.decode(text.encode()) == value


@given(OBJECTS)
def test_valid_json_is_not_changed(value: Any) -> None:
    text = json.dumps(value)

    assert blank_trailing_commas(text) == text


@pytest.mark.parametrize(
    "text", ["[,]", "{,}", "[1,,]", "[1,,2]", '{"a":,}', "[1,", '["a,]', '"\\', "{ , }"]
)
def test_other_faults_stay_faults(text: str) -> None:
    with pytest.raises(ValueError, match=r"char \d"):
        lenient_json.decode(b'{"a": %b}' % text.encode())


def test_error_names_the_position_in_the_original_text() -> None:
    with pytest.raises(ValueError, match=r"char 16"):
        lenient_json.decode(b'{"a": [1,], "b" 7}')


@pytest.mark.parametrize("unit", ['"', '\\"', "\\", ",", ", ", "[,", '",', "[ "])
def test_time_is_linear(unit: str) -> None:
    began = time.perf_counter()
    blank_trailing_commas(unit * (1_000_000 // len(unit)))

    assert time.perf_counter() - began < 5


def test_long_text_is_read_without_a_regular_expression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise it would stop all threads for 0.4 s for 4 MiB of escapes."""
    searched: list[int] = []

    class Counted:
        def __init__(self, pattern: re.Pattern[str]) -> None:
            self._pattern = pattern

        def search(self, text: str) -> re.Match[str] | None:
            searched.append(len(text))
            return self._pattern.search(text)

        def sub(self, new: str, text: str) -> str:
            searched.append(len(text))
            return self._pattern.sub(new, text)

    for name in ("TRAILING", "LACKS_ITEM"):
        pattern = getattr(trailing_commas, name)
        monkeypatch.setattr(trailing_commas, name, Counted(pattern))
    long = '\\n\\" [1,], ' * 100_000

    blanked = blank_trailing_commas(f'{{"a": ["{long}",]}}')

    assert blanked == f'{{"a": ["{long}" ]}}'
    assert max(searched) < 10
