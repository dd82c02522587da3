"""Tests of host/observability/logfmt.py: one line of key=value pairs that no text can
forge.
"""

from __future__ import annotations

import ast
import json
import logging
import sys

import pytest

from host.observability.logfmt import MAX_CHARS, MAX_TRACEBACK, Line, LogFormatter
from tests.support.harness import ROOT

ATTACK = (
    'x" level=CRITICAL\nat=1 \x1b[2J\x7f\u2028\u202e\x85\x9b2J\u2066\u200f\ufeff '
    "\U000e0041 ö"
)


def format_line(message: object, form: str = "logfmt", *, failed: bool = False) -> str:
    info = sys.exc_info() if failed else None
    record = logging.LogRecord("courtside.test", 20, "", 0, message, (), info)
    record.created = 1_795_521_600.5
    return LogFormatter(form).format(record)


def test_line_has_time_level_and_logger_then_the_values() -> None:
    line = Line(agent="carly", connection="lost", cause="refused: nobody")

    assert format_line(line) == (
        "at=2026-11-24T12:00:00.500Z level=INFO from=courtside.test "
        'agent=carly connection=lost cause="refused: nobody"'
    )
    assert json.loads(format_line(line, "json")) == {
        "at": "2026-11-24T12:00:00.500Z",
        "level": "INFO",
        "from": "courtside.test",
        "agent": "carly",
        "connection": "lost",
        "cause": "refused: nobody",
    }


def test_none_is_omitted_and_numbers_stay_numbers() -> None:
    line = Line(cursor=7, retry_s=1.0, cause=None)

    assert format_line(line).endswith("cursor=7 retry_s=1.0")
    values = json.loads(format_line(line, "json"))
    assert (values["cursor"], values["retry_s"]) == (7, 1.0)
    assert "cause" not in values


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_hostile_text_is_escaped(form: str) -> None:
    output = format_line(Line(cause=ATTACK), form)

    assert output.isprintable()
    assert "ö" in output
    if form == "json":
        assert json.loads(output)["cause"] == ATTACK
    else:
        assert json.loads(output.partition("cause=")[2]) == ATTACK


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_traceback_stays_on_its_line(form: str) -> None:
    try:
        raise ValueError(ATTACK)
    except ValueError:
        output = format_line(Line(agent="carly", following="failed"), form, failed=True)

    assert output.isprintable()
    assert "following" in output
    assert "ValueError: x" in output


def test_middle_of_a_long_traceback_is_cut_out() -> None:
    for size in (MAX_TRACEBACK // 2, 2 * MAX_TRACEBACK):
        try:
            raise ValueError("b" + "x" * size + "e")
        except ValueError:
            output = format_line("failed", "json", failed=True)
        traceback = json.loads(output)["traceback"]

        is_long = size > MAX_TRACEBACK
        assert traceback.startswith("Traceback (most recent call last)")
        assert traceback.endswith("xe")
        assert ("…" in traceback) == is_long
        assert (len(traceback) == MAX_TRACEBACK + 1) == is_long


def test_text_of_a_library_becomes_a_message() -> None:
    assert format_line("Started server [7]").endswith('message="Started server [7]"')


def test_long_value_is_shortened() -> None:
    assert len(format_line(Line(cause="x" * 1_000_000))) < MAX_CHARS + 200


def test_every_module_logs_line_objects() -> None:
    """The formatter cannot escape values inside a text, and nobody can search them."""
    calls = [
        node
        for path in sorted((ROOT / "host").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "logger"
    ]

    assert len(calls) > 20
    for call in calls:
        assert ast.unparse(call.args[0]).startswith("Line("), ast.unparse(call)
