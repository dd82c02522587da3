"""The feed's JSON Schema: docs/feed.schema.json is what the code makes, every event is
valid by it, and the page's types say the same.

`python -m tests.contract.test_feed_schema` writes the file again after a wanted change.
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
    *("TaskEvent", "ArtifactEvent", "MessageEvent", "AgentEvent", "GapEvent"),
    *("Skill", "Snapshot"),
)


def as_a_file() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def test_the_file_is_what_the_code_makes() -> None:
    wanted = "wanted? python -m tests.contract.test_feed_schema"

    assert FILE.read_text(encoding="utf-8") == as_a_file(), wanted


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_field_is_explained_or_says_its_values() -> None:
    obvious = {"kind", "title", "description", "version", "skills", "examples"}
    for name, definition in schema()["$defs"].items():
        for field, told in definition.get("properties", {}).items():
            said = {"description", "enum"} & told.keys()
            assert said or field in obvious | {"agents", "tasks"}, f"{name}.{field}"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event["id"]))
def test_every_event_of_the_golden_file_is_valid(event: Json) -> None:
    validator().validate(event)


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", 0), ("kind", "other"), ("status", "done"), ("progress", 101), ("agent", 1)],
)
def test_what_is_no_event_is_not_valid(field: str, value: object) -> None:
    event = next(event for event in EVENTS if event["kind"] == "task")

    assert not validator().is_valid({**event, field: value})


def test_fields_of_a_later_release_are_left_alone() -> None:
    for event in EVENTS:
        validator().validate({**event, "later": 1})


@pytest.mark.parametrize("name", SHARED)
def test_the_pages_types_have_the_same_fields(name: str) -> None:
    """As far as the page reads them, and null only where null can come."""
    described = schema()["$defs"][name]["properties"]

    for field, kind in _interface(name).items():
        assert field in described, f"{name}.{field} of types.d.ts is in no event"
        can_be_null = {"type": "null"} in described[field].get("anyOf", [])
        assert ("null" in kind) == can_be_null, f"{name}.{field}: {kind}"


def _interface(name: str) -> dict[str, str]:
    """The fields of an interface of types.d.ts and their types."""
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
    FILE.write_text(as_a_file(), encoding="utf-8")
