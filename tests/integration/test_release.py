"""The wheel and the sdist contain all files that they need, and nothing else.

Builds them like scripts/release-check, which also installs and runs them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from importlib.metadata import version
from pathlib import Path, PurePath

import pytest

import courtside
import host
from agents.card import build_card
from agents.stubs.carly import CARLY
from host.errors import CourtsideError
from host.orchestrator.card import build_host_card
from tests.support.harness import ROOT

PROGRAMS = ("agents", "dashboard", "host")
PACKAGES = ("courtside", *PROGRAMS)
STATIC = "courtside/dashboard/static/"
SUFFIXES = {".py", ".js", ".css", ".html", ".svg"}
OTHERS = {"py.typed", "LICENSE"}
VENDOR = "dashboard/static/vendor"
LIT = f"{VENDOR}/lit-html/LICENSE"
DEVELOPER_FILES = ("*.d.ts", "refresh.sh", "*.pyc")
ROOT_FILES = {
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "constraints.txt",
    "hatch_build.py",
    "pyproject.toml",
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    path = f"{ROOT / 'node_modules' / '.bin'}:{os.environ['PATH']}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", path)
        output = tool("build", "--no-isolation", "--outdir", folder, ROOT)
    assert "Successfully built" in output
    return folder


def tool(*words: str | Path) -> str:
    """Run a tool of this Python and return its output. It must succeed."""
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like site-packages, with the wheel and another package `agents`."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)  # noqa: S202 - our own wheel
    (folder / "agents").mkdir()
    (folder / "agents" / "__init__.py").write_text("class Agent: ...\n")
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(dist.glob("*.whl")))


def package_files() -> set[str]:
    """Return all files of the packages that users need, with their paths in a clone."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*"))
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.is_file() and not any(map(path.match, DEVELOPER_FILES))
    }


def in_wheel(name: str) -> str:
    """Return the path in the wheel of a file of a clone."""
    return f"courtside/{name}" if name.startswith(PROGRAMS) else name


def test_wheel_has_one_package_with_all_files_and_licences(
    wheel: zipfile.ZipFile,
) -> None:
    names = set(wheel.namelist())
    about = {name for name in names if ".dist-info/" in name}
    static = {name for name in names if name.startswith(STATIC)}
    expected = {in_wheel(name) for name in package_files()}

    assert names - about - static == {n for n in expected if not n.startswith(STATIC)}
    assert static == {
        f"{STATIC}main.js",
        *(name for name in expected if PurePath(name).match(f"{STATIC}style/*.css")),
        f"{STATIC}favicon.svg",
    }
    for name in names - about:
        assert PurePath(name).suffix in SUFFIXES or PurePath(name).name in OTHERS
    assert {name.partition("/")[2] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        f"licenses/{LIT}",
    }


def run_in(site: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=site,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_works_beside_another_package_named_agents(site: Path) -> None:
    code = """
import sys
from agents import Agent
from courtside import CourtsideError, TaskManager
import courtside.__main__, courtside.agents.__main__, courtside.host.app
print(TaskManager.__module__, issubclass(CourtsideError, Exception))
print([name for name in sys.modules if name.partition(".")[0] in ("dashboard", "host")])
print([name for name in sys.modules if name.startswith("agents.")])
"""
    assert run_in(site, code).splitlines() == [
        "courtside.host.task_manager.manager True",
        "[]",
        "[]",
    ]


def test_every_module_of_the_wheel_can_be_imported(site: Path) -> None:
    code = """
import courtside, importlib, pkgutil
for module in pkgutil.walk_packages(courtside.__path__, "courtside."):
    importlib.import_module(module.name)
"""
    run_in(site, code)


def test_demo_of_the_wheel_starts_its_own_agents(site: Path) -> None:
    code = """
import sys
from courtside.host import IMPORT_FOLDER, get_sibling
print(get_sibling("agents"), IMPORT_FOLDER == __import__("pathlib").Path.cwd())
"""
    assert run_in(site, code) == "courtside.agents True\n"


def test_public_names_are_the_same_in_a_clone() -> None:
    assert courtside.TaskManager is host.TaskManager
    assert courtside.CourtsideError is CourtsideError
    assert courtside.__version__ == host.__version__
    with pytest.raises(AttributeError):
        courtside.Agent  # noqa: B018


def test_sdist_has_the_same_files_and_the_build_files(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names == package_files() | ROOT_FILES


def test_wheel_and_sdist_pass_twine_check(dist: Path) -> None:
    assert tool("twine", "check", "--strict", *dist.iterdir()).count("PASSED") == 2


def test_vendored_modules_have_their_licence() -> None:
    vendor = ROOT / VENDOR

    for folder in (path for path in vendor.iterdir() if path.is_dir()):
        assert (folder / "LICENSE").stat().st_size > 500, folder
        assert folder.name in (vendor / "README.md").read_text(encoding="utf-8")


def test_version_is_written_in_one_place(wheel: zipfile.ZipFile) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (written,) = re.findall(r'^version = "(.*)"$', text, re.M)
    about = next(name for name in wheel.namelist() if name.endswith("/METADATA"))

    assert message_from_string(wheel.read(about).decode())["Version"] == written
    assert version("courtside") == host.__version__ == written
    assert build_card(CARLY, "http://127.0.0.1:8001").version == written
    assert build_host_card({}).version == written
    sources = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    assert not [path for path in sources if f'"{written}"' in path.read_text("utf-8")]


def test_workflow_tests_every_supported_python() -> None:
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r"Python :: (3\.\d+)\"", classifiers)
    flow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"^ +python: (\[.*\])$", flow, re.M)

    assert json.loads(matrix) == named
    assert "- run: .ci/run\n" in flow


def test_release_is_tested_before_it_is_published_and_uses_no_token() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    build, publish = text.split("\n  publish:\n")

    assert re.findall(r"- run: (scripts/.*)", build) == [
        "scripts/check",
        "scripts/test",
        "scripts/release-check dist",
    ]
    assert publish.startswith("    needs: build\n")
    assert "\n      id-token: write\n" in publish
    assert "secrets." not in text


def test_container_runs_unprivileged_and_needs_a_token() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    (user,) = re.findall(r"^USER (\d+)$", text, re.M)

    assert int(user) > 0
    assert text.index("USER") > text.rindex("RUN")
    # The host refuses to start on this address without a token.
    assert "COURTSIDE_HOST=0.0.0.0" in text
    assert "TOKEN=" not in text
    assert "/readyz" in text[text.index("\nHEALTHCHECK") :]


def test_container_base_image_is_pinned_by_digest() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.M)

    assert len(set(bases)) == 1
    assert re.fullmatch(
        r"docker\.io/library/python:[\w.-]+@sha256:[0-9a-f]{64}", bases[0]
    )


def test_container_build_gets_the_files_of_the_sdist() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert ignored[1] == "*"
    for name in (*PACKAGES, *ROOT_FILES - {".gitignore", "PKG-INFO"}):
        assert f"!{name}" in ignored
