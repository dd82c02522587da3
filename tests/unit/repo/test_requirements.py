"""Tests that every package is installed with a hash, in the version of constraints.txt.

requirements/*.txt, which scripts/lock writes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.harness import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; (.+))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# pip installs Courtside itself without its dependencies, and without the network.
LOCAL = "--no-deps --no-index"
# The package that is locked in another version than constraints.txt has.
OTHER_SDK = ("interop-0.3.txt", "a2a-sdk")


def read_pins(path: Path) -> dict[tuple[str, str], list[str]]:
    """Return the options of each (package, version)."""
    text = path.read_text(encoding="utf-8").replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            pin, *hashes = re.split(r"\s+(?=--)", line.strip())
            matched = PIN.fullmatch(pin)
            assert matched, f"{path.name}: {line[:80]}"
            found[matched[1], matched[2]] = hashes
    return found


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_a_hash(path: Path) -> None:
    pins = read_pins(path)

    assert pins
    for pin, hashes in pins.items():
        assert hashes, pin
        assert all(map(HASH.fullmatch, hashes)), pin


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_locked_versions_are_those_of_the_constraints(path: Path) -> None:
    """If not, run scripts/lock."""
    versions: dict[str, set[str]] = {}
    for name, version in read_pins(ROOT / "constraints.txt"):
        versions.setdefault(name, set()).add(version)

    for name, version in read_pins(path):
        if (path.name, name) != OTHER_SDK:
            assert version in versions.get(name, {version}), f"{path.name}: {name}"


@pytest.mark.parametrize(
    ("lock", "extras"), [("host", []), ("run", ["procfile"]), ("dev", ["dev"])]
)
def test_lock_has_all_dependencies(lock: str, extras: list[str]) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = [re.findall(rf"^{name} = \[(.*?)\]", text, re.M | re.S) for name in extras]
    lists.append(re.findall(r"^dependencies = \[(.*?)\]", text, re.M | re.S))
    named = re.findall(
        r'^ *"?([\w.-]+)[><=~]', "\n".join(one for (one,) in lists), re.M
    )

    locked = {name for name, _ in read_pins(ROOT / f"requirements/{lock}.txt")}

    assert len(named) > 10
    assert {normalize(name) for name in named} - locked - {"honcho"} == set()
    assert ("honcho" in locked) is (lock != "host")
    assert ("hatchling" in locked) is (lock != "host")


@pytest.mark.parametrize(
    "name", ["Containerfile", "scripts/_setup", "scripts/release-check", "scripts/lock"]
)
def test_pip_installs_only_what_has_a_hash(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [re.sub(r"\s+", " ", line) for line in text.splitlines()]
    installs = [
        command
        for line in lines
        for command in re.split(r"&&|\|\|", line)
        if re.search(r"pip(_install|\S* .*\binstall\b)", command)
        and not command.strip().endswith(("{", '"$@"'))
        and not command.strip().startswith("#")
    ]

    assert installs
    for command in installs:
        locked = "--require-hashes --requirement" in command
        assert locked or LOCAL in command, command


def test_image_builds_the_wheel_with_locked_tools_only() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    (build,) = re.findall(r"pip wheel .*", text)

    assert {"--no-deps", "--no-index", "--no-build-isolation"} < set(build.split())
