"""Tests of docs/feed.schema.json against the code, events.json and the page's types.

After an intended change, `python -m tests.contract.test_feed_schema` writes it again.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from host.api.openapi.feed_schema import schema
from tests.contract.test_events import GOLDEN
from tests.support.harness import ROOT

Json = dict[str, Any]

FILE = ROOT / "docs/feed.schema.json"
EVENTS: list[Json] = json.loads(GOLDEN.read_text(encoding="utf-8"))
TYPES = (ROOT / "dashboard/static/state/types.d.ts").read_text(encoding="utf-8")
SHARED = (
    "TaskEvent",
    "ArtifactEvent",
    "MessageEvent",
    "AgentEvent",
    "GapEvent",
    "NoticeEvent",
    "Skill",
    "Snapshot",
)


def to_json() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def test_schema_file_equals_generated_schema() -> None:
    hint = "intended? python -m tests.contract.test_feed_schema"

    assert FILE.read_text(encoding="utf-8") == to_json(), hint


def test_schema_is_a_valid_json_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_field_has_a_description_or_an_enum() -> None:
    obvious = {"kind", "title", "description", "version", "skills", "examples"}
    for name, definition in schema()["$defs"].items():
        for field, schema_of in definition.get("properties", {}).items():
            is_explained = {"description", "enum"} & schema_of.keys()
            obvious_fields = obvious | {"agents", "tasks"}
            assert is_explained or field in obvious_fields, f"{name}.{field}"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event["id"]))
def test_every_event_of_events_json_is_valid(event: Json) -> None:
    validator().validate(event)


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", 0), ("kind", "other"), ("status", "done"), ("progress", 101), ("agent", 1)],
)
def test_wrong_value_is_not_valid(field: str, value: object) -> None:
    event = next(event for event in EVENTS if event["kind"] == "task")

    assert not validator().is_valid({**event, field: value})


def test_unknown_fields_are_valid() -> None:
    for event in EVENTS:
        validator().validate({**event, "later": 1})


@pytest.mark.parametrize("name", SHARED)
def test_types_of_the_page_match_the_schema(name: str) -> None:
    """Checks the fields that the page reads, and which of them can be null."""
    described = schema()["$defs"][name]["properties"]

    for field, kind in _interface(name).items():
        assert field in described, f"no event has {name}.{field} of types.d.ts"
        can_be_null = {"type": "null"} in described[field].get("anyOf", [])
        assert ("null" in kind) == can_be_null, f"{name}.{field}: {kind}"


def _interface(name: str) -> dict[str, str]:
    """Return the fields and their types of an interface of types.d.ts."""
    found = re.search(rf"^export interface {name} .*?^\}}", TYPES, re.M | re.S)
    assert found, f"types.d.ts has no {name}"
    inherited = "Stamped" in found[0].split("{")[0]
    body = (re.sub(r".*?{", "", found[0], count=1)) + (_stamped() if inherited else "")
    return dict(re.findall(r"^  (\w+)\??: (.+);$", body, re.M))


def _stamped() -> str:
    found = re.search(r"^interface Stamped {.*?^}", TYPES, re.M | re.S)
    assert found
    return found[0]


if __name__ == "__main__":
    FILE.write_text(to_json(), encoding="utf-8")
