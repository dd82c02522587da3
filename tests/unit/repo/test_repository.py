"""Tests of the repository's files: pins, Procfile, scripts, workflows and modules."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess

import pytest
from honcho.environ import parse_procfile

from agents.stubs import STUBS
from tests.support.harness import ROOT

SHELL_SCRIPTS = [
    p.name for p in (ROOT / "scripts").iterdir() if p.is_file() and not p.suffix
]
HOST_NAME = re.compile(r"://|\b[\w-]+\.(?:com|org|io|net|dev)\b")


PINS = ("constraints.txt", "package.json", "package-lock.json", ".npmrc")
LOCKS = (f"requirements/{path.name}" for path in (ROOT / "requirements").iterdir())


@pytest.mark.parametrize("name", [*PINS, *LOCKS])
def test_pins_name_packages_and_versions_only(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert HOST_NAME.findall(text) == []


def test_every_constraint_is_an_exact_version() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert pins
    for pin in pins:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*( ; .+)?", pin), pin


def test_npm_packages_are_pinned_exactly() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))

    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name}: {version}"


def test_procfile_starts_every_stub_and_the_host_on_their_ports() -> None:
    procfile = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8"))
    processes: dict[str, str] = procfile.processes

    assert list(processes) == [*STUBS, "host"]
    for name, stub in STUBS.items():
        command = f"-m agents {name} --port ${{{name.upper()}_PORT:-{stub.port}}}"
        assert command in processes[name]
    assert "-m host --port ${COURTSIDE_PORT:-8000}" in processes["host"]


@pytest.mark.parametrize("command", [*STUBS, "host"])
def test_procfile_replaces_the_shell_by_the_process(command: str) -> None:
    """Otherwise SIGTERM would end only the shell, and the process would stay."""
    procfile = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8"))

    assert "; exec python -m " in procfile.processes[command]


@pytest.mark.parametrize("name", SHELL_SCRIPTS)
def test_scripts_are_posix_shell(name: str) -> None:
    script = ROOT / "scripts" / name

    checked = subprocess.run(["sh", "-n", script], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr
    assert not re.search(r"\[\[|\blocal\b|\bfunction\b|<<<", script.read_text("utf-8"))


def test_scripts_are_executable() -> None:
    assert {"start", "test", "check", "bench"} < set(SHELL_SCRIPTS)
    for name in SHELL_SCRIPTS:
        assert name.startswith("_") or os.access(ROOT / "scripts" / name, os.X_OK), name


def test_ci_runs_only_check_and_test() -> None:
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    commands = [
        line for line in lines if line and not line.startswith(("#", "set ", "cd "))
    ]

    assert commands == ["scripts/check", "scripts/test"]


def test_pre_commit_runs_the_same_checks_as_ci() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")

    assert re.findall(r"entry: (.*)", text) == ["scripts/check"]


@pytest.mark.parametrize("name", ["release.yml", "test.yml"])
def test_workflow_actions_are_pinned_by_commit(name: str) -> None:
    text = (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")
    actions = re.findall(r"uses: (.*)", text)

    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("package", ["agents", "host", "dashboard"])
def test_packages_have_a_py_typed_file(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()


def test_every_module_has_a_docstring() -> None:
    folders = ("agents", "host", "dashboard", "bench", "scripts", "tests")

    assert [module for module in modules(*folders) if not docstring(module)] == []


def modules(*folders: str) -> list[str]:
    found = (m for folder in folders for m in (ROOT / folder).rglob("*.py"))
    return sorted(str(m.relative_to(ROOT)) for m in found)


def docstring(module: str) -> str:
    text = (ROOT / module).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").strip()
