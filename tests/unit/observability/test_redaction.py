"""Tests of host/observability/redaction.py."""

from __future__ import annotations

import gc
import logging
import sys

import pytest

from host.observability.logfmt import MAX_CHARS, Line, LogFormatter
from host.observability.redaction import protect, redact

SECRET = "hunter2/hunter2 &"


class Owner:
    """Holds a secret."""


def log_line(message: object, form: str = "logfmt", *, failed: bool = False) -> str:
    info = sys.exc_info() if failed else None
    record = logging.LogRecord("courtside.test", 20, "", 0, message, (), info)
    return LogFormatter(form).format(record)


def test_secret_is_redacted_as_it_is_and_in_a_url() -> None:
    owner = Owner()
    protect(owner, SECRET, None, "")

    text = redact(f"{SECRET}, ?key=hunter2%2Fhunter2%20%26, hunter2%2Fhunter2+%26")

    assert text == "[credential], ?key=[credential], [credential]"


def test_longer_secret_is_redacted_before_its_part() -> None:
    owner, other = Owner(), Owner()
    protect(owner, "abcdef")
    protect(other, "abcdefghi")

    assert redact("abcdefghi abcdef") == "[credential] [credential]"


def test_short_secret_does_not_redact_words() -> None:
    owner = Owner()
    protect(owner, "the")

    assert redact("the host") == "the host"


def test_new_secrets_replace_the_owners_earlier_ones() -> None:
    owner = Owner()
    protect(owner, "abcdef")
    protect(owner, "ghijkl")

    assert redact("abcdef ghijkl") == "abcdef [credential]"


def test_secrets_of_a_removed_agent_are_forgotten() -> None:
    protect(Owner(), "abcdef")
    gc.collect()
    other = Owner()
    protect(other, "ghijkl")

    assert redact("abcdef") == "abcdef"


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_log_line_holds_no_secret(form: str) -> None:
    owner = Owner()
    protect(owner, "hunter2hunter2")
    try:
        raise ValueError("hunter2hunter2")
    except ValueError:
        traceback = log_line("failed", form, failed=True)
    lines = [
        traceback,
        log_line(Line(cause="no: hunter2hunter2"), form),
        log_line("GET http://a.test/?key=hunter2hunter2", form),
        # Redaction comes before the line is shortened.
        log_line(Line(cause="x" * (MAX_CHARS - 7) + "hunter2hunter2"), form),
    ]

    assert "hunter2" not in "".join(lines)
