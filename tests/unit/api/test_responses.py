"""Tests that each error knows the status and reason of its HTTP response."""

from __future__ import annotations

import pytest

import host.app  # noqa: F401 - defines every error that can reach a client
from host.api.responses import STATUS_NAMES, describe_error
from host.errors import AgentUnreachable, CourtsideError, LogDamaged


def all_subclasses(kind: type[CourtsideError]) -> list[type[CourtsideError]]:
    below = kind.__subclasses__()
    return below + [one for sub in below for one in all_subclasses(sub)]


@pytest.mark.parametrize("kind", all_subclasses(CourtsideError))
def test_status_of_each_error_has_a_name_in_http_json(
    kind: type[CourtsideError],
) -> None:
    assert kind.status == CourtsideError.status or kind.status in STATUS_NAMES
    assert (kind.reason == CourtsideError.reason) is (
        kind.status == CourtsideError.status
    )


def test_error_carries_its_status_reason_and_message() -> None:
    found, code = describe_error(AgentUnreachable("carly does not respond"))

    assert (found.code, found.status, code) == (502, "UNAVAILABLE", -31502)
    assert found.message == "carly does not respond"
    assert found.details[0]["reason"] == "AGENT_UNREACHABLE"
    assert found.details[0]["domain"] == "courtside"


def test_subclass_inherits_status_and_reason() -> None:
    found, code = describe_error(LogDamaged("x"))

    assert (found.code, found.status, code) == (503, "UNAVAILABLE", -31503)


def test_error_without_a_status_is_internal() -> None:
    found, code = describe_error(CourtsideError("x"))

    assert (found.code, found.status, code) == (500, "INTERNAL", -31500)
