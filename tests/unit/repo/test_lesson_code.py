"""The steps of docs/lesson/2-implementation.md lead from the starter to the finished
files, with the texts of the original lesson."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.lesson_quiz import QUESTIONS, take_quiz
from tests.support.harness import ROOT
from tests.support.lesson_agent import read_code
from tests.support.lesson_steps import PAGE, apply_steps

STARTER, FINISHED = read_code("starter"), read_code("finished")
MARK = re.compile(r"(?:#|//) Step \d")
SNIPPET = """\
const eventSource = new EventSource('/tasks/stream');

eventSource.onmessage = function(event) {
    const update = JSON.parse(event.data);
    console.log(`Task ${update.task_id}: ${update.status}`);
    updateProgressBar(update.progress);
};
"""
SCENARIOS = (
    "Starting calendar search...",
    "Checking personal calendar...",
    "Querying team calendars...",
    "Finding optimal time slots...",
    "Found 3 available slots for tomorrow!",
    "Beginning complex analysis...",
    "Processing data...",
    "Task cancelled by user request",
)
WRITTEN = re.compile(
    r"(?:\btee (?:-a )?| -o |(?<!=)> ?)([a-z][\w-]*\.(?:txt|json|log))\b"
)
SAVED = re.compile(r'^```py title="([^"/]+)"', re.M)


def test_steps_lead_from_the_starter_to_the_finished_files() -> None:
    assert apply_steps() == FINISHED


def test_each_mark_has_a_step() -> None:
    assert all(MARK.search(text) for text in STARTER.values())
    assert not any(MARK.search(text) for text in FINISHED.values())


def test_page_has_the_snippet_of_the_original_unchanged() -> None:
    lines = [line.strip() for line in FINISHED["page.html"].splitlines()]
    snippet = [line.strip() for line in SNIPPET.splitlines()]

    start = lines.index(snippet[0])
    assert lines[start : start + len(snippet)] == snippet


@pytest.mark.parametrize("files", [STARTER, FINISHED], ids=["starter", "finished"])
def test_page_has_the_elements_of_the_original(files: dict[str, str]) -> None:
    page = files["page.html"]

    assert "<title>A2A Streaming Agent</title>" in page
    assert "<h1>A2A Streaming Agent Dashboard</h1>" in page
    for name in (
        "task-controls",
        "progress-area",
        "progress-bar",
        "status-messages",
        "results",
    ):
        assert page.count(f'id="{name}"') == 1
    assert 'onclick="startTask()">Start Calendar Analysis</button>' in page
    assert ">Cancel Task</button>" in page


@pytest.mark.parametrize("text", SCENARIOS)
def test_agent_has_the_words_of_the_scenarios(text: str) -> None:
    assert f'"{text}"' in FINISHED["agent.py"]


def test_page_asks_the_question_of_this_phase() -> None:
    question = "How do progress updates improve user experience?"

    assert question in PAGE.read_text(encoding="utf-8")


def test_pages_write_only_into_the_folder_that_reset_deletes() -> None:
    texts = [
        page.read_text(encoding="utf-8")
        for page in (ROOT / "docs" / "lesson").rglob("*.md")
    ]
    written = {name for text in texts for name in WRITTEN.findall(text)}
    saved = {name for text in texts for name in SAVED.findall(text)}

    assert not written | saved


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the learner types."""
    typed: list[str] = []
    monkeypatch.setattr("builtins.input", lambda prompt: typed.pop(0))
    return typed


def test_quiz_is_passed_with_three_right_answers(
    answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers += ["d", "a", "B", "c"]

    assert take_quiz(tmp_path / "passed")
    assert (tmp_path / "passed").exists()
    printed = capsys.readouterr().out
    assert "Type a, b or c." in printed
    assert "3 of 3 answers are right." in printed


@pytest.mark.parametrize("wrong", range(len(QUESTIONS)))
def test_quiz_is_not_passed_with_a_wrong_answer(
    wrong: int,
    answers: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers += [question.answer for question in QUESTIONS]
    answers[wrong] = "b" if answers[wrong] == "a" else "a"

    assert not take_quiz(tmp_path / "passed")
    assert not (tmp_path / "passed").exists()
    printed = capsys.readouterr().out
    assert QUESTIONS[wrong].reason in printed
    assert "Read docs/lesson/1-concepts.md again" in printed
