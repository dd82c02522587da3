"""Tests of docs/architecture.md against the tree: paths, packages and their layers."""

from __future__ import annotations

import ast
import re
from itertools import takewhile

import pytest

from tests.support.harness import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PROGRAMS = ("agents/", "host/", "dashboard/")
PACKAGES = sorted(path.parent.name for path in (ROOT / "host").glob("*/__init__.py"))


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## )", PAGE, re.M | re.S)
    assert found, f"docs/architecture.md has no section {heading!r}"
    return found[1]


def first_cells(heading: str) -> list[str]:
    """Return the code words in the first column of a section's table, in order."""
    return re.findall(r"^\| `([^`]+)` \|", section(heading), re.M)


def layers() -> list[str]:
    """Return the layers in pyproject.toml, from top to bottom."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("layers = [") + 1
    return [
        name
        for line in takewhile(lambda line: line != "]", lines[start:])
        for name in re.findall(r"\w+", line)
    ]


@pytest.mark.parametrize("heading", ["The path of an event", "The path of a click"])
def test_path_names_files_of_all_three_programs(heading: str) -> None:
    files = first_cells(heading)

    assert {file.partition("/")[0] + "/" for file in files} == set(PROGRAMS)


def test_every_path_on_the_page_exists() -> None:
    paths = [
        word for word in re.findall(r"`([^`]+)`", PAGE) if word.startswith(PROGRAMS)
    ]

    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_table_lists_every_package_in_the_order_of_the_layers() -> None:
    table = first_cells("The packages of the host")

    assert sorted(table) == PACKAGES
    assert [name for name in layers() if name in PACKAGES] == table


def test_page_names_every_module_outside_the_packages() -> None:
    modules = {path.stem for path in (ROOT / "host").glob("*.py")} - {"__init__"}

    assert {name for name in layers() if name not in PACKAGES} == modules
    assert all(f"`{name}`" in section("The packages of the host") for name in modules)


def test_page_names_every_folder_of_the_dashboard() -> None:
    folders = [path.name for path in (ROOT / "dashboard/static").iterdir()]

    for name in set(folders) - {"vendor"}:
        if (ROOT / "dashboard/static" / name).is_dir():
            assert f"`{name}/`" in section("The packages of the host"), name


@pytest.mark.parametrize("package", PACKAGES)
def test_package_docstring_lists_allowed_imports(package: str) -> None:
    text = (ROOT / "host" / package / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""

    assert re.search(r"^.*\bImports\b", docstring, re.M), package
    named = set(re.findall(r"`(\w+)`", docstring.rpartition("Imports")[2]))
    below = layers()[layers().index(package) + 1 :]
    assert named & set(PACKAGES) <= set(below), package
