"""Tests that docs/limits.md has all limits of the host, with the values of the code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import host
from host.config.settings import HostSettings
from tests.support.harness import ROOT
from tests.unit.repo.no_limits import NO_LIMITS, NOT_DRIVEN, OTHER_PACKAGES

PAGE = ROOT / "docs" / "limits.md"
ROW = re.compile(r"^\| (?!What|---)(.+?) \| (.+?) \| `([\w.]+)` \| (.+?) \|$", re.M)
AMOUNT = re.compile(r"([\d,]+(?:\.\d+)?)(?: ?(KiB|MiB|GiB|s|ms|%))?(?:/s)?")
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "s": 1, "ms": 1e-3, "%": 0.01}
LIMIT = re.compile(r"_?(MAX_\w+|\w+_(BYTES|CHARS|S))")
TEXT = PAGE.read_text()
ROWS = [(where, limit) for _, limit, where, _ in ROW.findall(TEXT)]
DRIVEN = [
    tuple(line.split())
    for line in (Path(__file__).parent / "driven_limits.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def parse_amount(text: str) -> float:
    match = AMOUNT.fullmatch(text)
    assert match, f"{text!r} is not a number with a unit such as KiB or s"
    return float(match[1].replace(",", "")) * UNITS[match[2] or ""]


def value_of(where: str) -> float:
    """Return the value of a constant below `host`, or of a setting."""
    module, _, name = where.rpartition(".")
    if not module:
        return float(getattr(HostSettings(), name))
    return float(getattr(importlib.import_module(f"host.{module}"), name))


def find_constants(source: str) -> set[str]:
    """Return the names that a module defines. One line may define several."""
    names = re.findall(r"^(\w+(?:, \w+)*)(?:: [^=\n]+)? = ", source, re.M)
    return {name for line in names for name in line.split(", ")}


def constants() -> dict[str, float]:
    """Return the numbers that look like limits, by their name below `host`."""
    found: dict[str, float] = {}
    for info in pkgutil.walk_packages(host.__path__, "host."):
        if info.name.endswith("__main__") or info.name.startswith(OTHER_PACKAGES):
            continue
        source = importlib.import_module(info.name)
        text = Path(source.__file__ or "").read_text()
        for name in filter(LIMIT.fullmatch, find_constants(text)):
            if isinstance(getattr(source, name), int | float):
                found[f"{info.name.removeprefix('host.')}.{name}"] = getattr(
                    source, name
                )
    return found


@pytest.mark.parametrize(("where", "limit"), ROWS, ids=[where for where, _ in ROWS])
def test_row_has_the_value_of_the_code(where: str, limit: str) -> None:
    assert parse_amount(limit) == pytest.approx(value_of(where))


def test_each_line_of_the_tables_is_a_row() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    heads = [line for line in lines if line.startswith(("| What |", "|---"))]

    assert len(ROWS) == len(lines) - len(heads)
    assert len(set(ROWS)) == len(ROWS)


def test_each_constant_that_looks_like_a_limit_has_a_row() -> None:
    named = {where for where, _ in ROWS} | set().union(*NO_LIMITS.values())

    missing = constants().keys() - named
    assert not missing, (
        f"add rows to docs/limits.md, or a reason to no_limits.py: {missing}"
    )


def test_each_exception_is_a_constant_without_a_row() -> None:
    exceptions = set().union(*NO_LIMITS.values())

    unknown = exceptions - constants().keys()
    assert not unknown, f"remove {unknown} from no_limits.py"
    assert not exceptions & {where for where, _ in ROWS}


def test_each_row_is_driven_to_its_limit_by_a_test_or_has_a_reason() -> None:
    rows = {where for where, _ in ROWS}
    driven = [where for where, _ in DRIVEN]
    with_reason = set().union(*NOT_DRIVEN.values())

    missing = rows - set(driven) - with_reason
    assert not missing, (
        f"name the tests of {missing} in driven_limits.txt, or a reason in no_limits.py"
    )
    stale = (with_reason | set(driven)) - rows
    assert not stale, f"remove {stale}, which docs/limits.md does not have"
    assert len(driven) == len(set(driven))
    assert not with_reason & set(driven)


@pytest.mark.parametrize("test", sorted({test for _, test in DRIVEN}))
def test_test_of_a_limit_exists(test: str) -> None:
    path, *names = test.split("::")
    found: ast.AST = ast.parse((ROOT / path).read_text())
    for name in names:
        inner = {getattr(one, "name", ""): one for one in ast.iter_child_nodes(found)}
        assert name in inner, f"{path} has no {name}: correct driven_limits.txt"
        found = inner[name]
