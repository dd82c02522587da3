"""A log line is one line, says each thing by its key, and cannot be forged.

host/observability/logfmt.py.
"""

from __future__ import annotations

import ast
import json
import logging
import sys

import pytest

from host.observability.logfmt import MAX_CHARS, Line, LogFormatter
from tests.support.harness import ROOT

ATTACK = 'x" level=CRITICAL\nat=1 \x1b[2J\x7f\u2028\u202e\x85 ö'


def written(message: object, form: str = "logfmt", *, failed: bool = False) -> str:
    info = sys.exc_info() if failed else None
    record = logging.LogRecord("courtside.test", 20, "", 0, message, (), info)
    record.created = 1_795_521_600.5
    return LogFormatter(form).format(record)


def test_a_line_names_when_how_bad_and_where_from_then_what_changed() -> None:
    line = Line(agent="carly", connection="lost", cause="refused: nobody")

    assert written(line) == (
        "at=2026-11-24T12:00:00.500Z level=INFO from=courtside.test "
        'agent=carly connection=lost cause="refused: nobody"'
    )
    assert json.loads(written(line, "json")) == {
        "at": "2026-11-24T12:00:00.500Z",
        "level": "INFO",
        "from": "courtside.test",
        "agent": "carly",
        "connection": "lost",
        "cause": "refused: nobody",
    }


def test_what_is_not_known_is_left_out_and_numbers_stay_numbers() -> None:
    line = Line(cursor=7, retry_s=1.0, cause=None)

    assert written(line).endswith("cursor=7 retry_s=1.0")
    told = json.loads(written(line, "json"))
    assert (told["cursor"], told["retry_s"]) == (7, 1.0)
    assert "cause" not in told


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_hostile_text_ends_no_line_and_moves_no_cursor(form: str) -> None:
    said = written(Line(cause=ATTACK), form)

    assert said.isprintable()
    assert "ö" in said
    if form == "json":
        assert json.loads(said)["cause"] == ATTACK
    else:
        assert json.loads(said.partition("cause=")[2]) == ATTACK


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_traceback_is_a_value_of_its_line(form: str) -> None:
    try:
        raise ValueError(ATTACK)
    except ValueError:
        said = written(Line(agent="carly", following="failed"), form, failed=True)

    assert said.isprintable()
    assert "following" in said
    assert "ValueError: x" in said


def test_a_librarys_line_is_a_message() -> None:
    assert written("Started server [7]").endswith('message="Started server [7]"')


def test_a_value_without_end_is_cut() -> None:
    assert len(written(Line(cause="x" * 1_000_000))) < MAX_CHARS + 200


def test_every_module_logs_lines() -> None:
    """Text with values in it would be neither escaped nor found by its key."""
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
