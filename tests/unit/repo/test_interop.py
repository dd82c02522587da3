"""Tests that tests/interop pins the packages of the interop tests."""

from __future__ import annotations

import json
import re

from tests.support.harness import ROOT
from tests.support.interop_agents import INTEROP


def test_javascript_sdks_are_pinned_exactly() -> None:
    package = json.loads((INTEROP / "package.json").read_text(encoding="utf-8"))

    for name, version in package["dependencies"].items():
        assert re.fullmatch(r"(npm:@a2a-js/sdk@)?\d+\.\d+\.\d+", version), name


def test_npm_lock_names_no_registry() -> None:
    lock = json.loads((INTEROP / "package-lock.json").read_text(encoding="utf-8"))

    assert [p for p in lock["packages"].values() if "resolved" in p] == []


def test_dependencies_of_the_0_3_sdk_are_in_constraints() -> None:
    needs = (INTEROP / "requirements-0.3.txt").read_text(encoding="utf-8")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")

    sdk, *others = [line for line in needs.splitlines() if not line.startswith("#")]
    assert re.fullmatch(r"a2a-sdk==0\.3\.\d+", sdk)
    pinned = {line.partition("==")[0] for line in pins.splitlines()}
    assert set(others) <= pinned
