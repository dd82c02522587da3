"""scripts/lesson checks what the learner built, and removes all of it afterwards."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.chromium import chromium_path
from tests.support.harness import REQUEST_S, ROOT, Process, free_port
from tests.support.lesson_agent import learner_agent, read_code, shorten
from tests.support.stack import Stack

FINISHED = shorten(read_code("finished"))
CRITERIA = (
    "Working SSE endpoint with task streaming",
    "Real-time progress in the browser",
    "Cancellation and error handling",
    "Visual progress and status",
    "Can explain SSE versus WebSocket",
    "Ready for orchestration",
)
CHECK_S = 180.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A host. The tests add the learner's agents."""
    with Stack(tmp_path_factory.mktemp("stack"), ["carly"]) as running:
        yield running


def add_to_host(stack: Stack, url: str) -> str:
    """Let the host follow the agent. Return its name."""
    name = f"learner-{url.rpartition(':')[2]}"
    body = {"url": url, "name": name}
    httpx.post(f"{stack.url}/agents", json=body, timeout=REQUEST_S, trust_env=False)
    stack.wait_connected(name)
    return name


def run_lesson(
    command: str, folder: Path, url: str, stack: Stack, *, clone: Path = ROOT
) -> tuple[int, str]:
    """Run scripts/lesson. Return its exit code and its output."""
    process = Process(
        f"lesson-{command}",
        [
            *(sys.executable, "-m", "scripts.lesson", command),
            *("--url", url, "--host", stack.url, "--folder", folder / "my-agent"),
        ],
        folder=folder,
        cwd=clone,
        env={"COURTSIDE_CHROMIUM": chromium_path(), "PYTHONPATH": str(clone)},
    )
    process.start()
    code = process.wait_end(CHECK_S)
    return code, process.output()


def check(
    folder: Path,
    stack: Stack,
    files: Mapping[str, str] = FINISHED,
    *,
    has_quiz: bool = True,
    is_followed: bool = True,
) -> tuple[int, str]:
    """Run the agent, then check it."""
    with learner_agent(folder, files) as agent:
        if has_quiz:
            (folder / "my-agent/quiz-passed.txt").touch()
        if is_followed:
            add_to_host(stack, agent.url)
        return run_lesson("check", folder, agent.url, stack)


def missing(output: str) -> list[str]:
    return re.findall(r"^✗ (.+)$", output, re.M)


def change(name: str, old: str, new: str) -> dict[str, str]:
    """Return the finished files with one fault."""
    assert old in FINISHED[name]
    return FINISHED | {name: FINISHED[name].replace(old, new)}


def test_finished_agent_meets_all_criteria(tmp_path: Path, stack: Stack) -> None:
    code, output = check(tmp_path, stack)

    assert code == 0, output
    assert re.findall(r"^✓ ([^(\n]+?)(?: \(|$)", output, re.M) == list(CRITERIA)
    assert "6 of 6 criteria are met." in output
    assert "Chromium" not in output


def test_starter_meets_no_criterion(tmp_path: Path, stack: Stack) -> None:
    code, output = check(
        tmp_path, stack, read_code("starter"), has_quiz=False, is_followed=False
    )

    assert code == 1
    assert missing(output) == list(CRITERIA)
    assert "Write the SSE endpoint: step 2." in output
    assert "0 of 6 criteria are met." in output


FAULTS = {
    "no ids": (0, "agent.py", '"id": str(position), ', "", "no ids"),
    "no resume": (
        0,
        "agent.py",
        "tasks.read(last_id)",
        'tasks.read("")',
        "Last-Event-ID",
    ),
    "still bar": (1, "page.html", "'aria-valuenow', percent", "'x', 1", "only [0]"),
    "silent cancel": (
        2,
        "agent.py",
        'helpers.new_text_message("Task cancelled by user request")',
        "",
        "step 4a",
    ),
    "silent error": (
        2,
        "agent.py",
        "helpers.new_text_message(str(error))",
        "",
        "must fail with a message",
    ),
    "no messages": (
        3,
        "page.html",
        "document.getElementById('status-messages').append(line);",
        "",
        "#status-messages stays empty",
    ),
    "undefined": (
        3,
        "page.html",
        "update.agent ? ",
        "true ? ",
        'shows "undefined"',
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_fails_one_criterion(
    fault: str, tmp_path: Path, stack: Stack
) -> None:
    criterion, name, old, new, hint = FAULTS[fault]

    code, output = check(tmp_path, stack, change(name, old, new))

    assert code == 1
    assert missing(output) == [CRITERIA[criterion]], output
    assert hint in output


def test_check_asks_for_the_quiz(tmp_path: Path, stack: Stack) -> None:
    code, output = check(tmp_path, stack, has_quiz=False)

    assert code == 1
    assert missing(output) == [CRITERIA[4]]
    assert "Run `scripts/lesson quiz`" in output


def test_check_says_how_to_add_the_agent_to_the_host(
    tmp_path: Path, stack: Stack
) -> None:
    code, output = check(tmp_path, stack, is_followed=False)

    assert code == 1
    assert missing(output) == [CRITERIA[5]]
    assert f"Add it: curl -s {stack.url}/agents" in output


def test_check_says_that_no_agent_runs(tmp_path: Path, stack: Stack) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    code, output = run_lesson("check", tmp_path, url, stack)

    assert code == 1
    assert output.count(f"No agent answers at {url}. Run it") == 4


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A git repository with the lesson's files."""
    folder = tmp_path / "clone"
    for part in ("scripts", "docs/lesson"):
        shutil.copytree(
            ROOT / part,
            folder / part,
            ignore=shutil.ignore_patterns("__pycache__", "my-agent"),
        )
    shutil.copy(ROOT / ".gitignore", folder)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    return folder


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, capture_output=True, check=True, text=True
    )
    return done.stdout


def untracked(folder: Path) -> str:
    return git(folder, "ls-files", "--others", "--exclude=__pycache__")


def test_reset_leaves_nothing(clone: Path, stack: Stack) -> None:
    code, output = run_lesson("start", clone, "http://localhost", stack, clone=clone)
    assert code == 0, output
    assert "my-agent/agent.py" in untracked(clone)
    assert git(clone, "diff", "--stat") == ""
    for name in ("stream.txt", "rosa.py"):
        (clone / "my-agent" / name).touch()
    with learner_agent(clone, FINISHED) as agent:
        name = add_to_host(stack, agent.url)
        code, output = run_lesson("reset", clone, agent.url, stack, clone=clone)

    assert code == 0, output
    assert f"Removed the agent {name} from the host." in output
    assert name not in stack.connections()
    assert name not in (stack.data_dir / "agents.json").read_text(encoding="utf-8")
    logs = {"lesson-start.log", "lesson-reset.log", "learner.log"}
    assert set(untracked(clone).splitlines()) <= logs


def test_start_keeps_the_files_of_the_learner(clone: Path, stack: Stack) -> None:
    url = "http://localhost"
    run_lesson("start", clone, url, stack, clone=clone)
    (clone / "my-agent/agent.py").write_text("mine", encoding="utf-8")

    code, output = run_lesson("start", clone, url, stack, clone=clone)

    assert code == 1
    assert "already exists" in output
    assert (clone / "my-agent/agent.py").read_text(encoding="utf-8") == "mine"


def test_reset_says_that_the_host_is_not_running(clone: Path, stack: Stack) -> None:
    run_lesson("start", clone, "http://localhost", stack, clone=clone)
    host = f"http://127.0.0.1:{free_port()}"
    process = Process(
        "reset",
        [
            *(sys.executable, "-m", "scripts.lesson", "reset"),
            *("--host", host, "--folder", clone / "my-agent"),
        ],
        folder=clone,
        cwd=clone,
        env={"PYTHONPATH": str(clone)},
    )
    process.start()

    assert process.wait_end() == 1
    assert "Run `scripts/start`, then `scripts/lesson reset` again." in process.output()
    assert not (clone / "my-agent").exists()
