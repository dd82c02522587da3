"""Each point that the lesson must contain has its place, in the lesson's own words."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from tests.support.doc_examples import BLOCK, blocks_in
from tests.support.lesson import FURTHER, LESSON, PHASES, text_of

OBJECTIVE = (
    "Master A2A streaming patterns that enable real-time agent communication and task "
    "progress monitoring, essential for responsive multi-agent systems."
)
TOPICS = {
    "Core concepts": (
        "SSE",
        "A2A task streaming",
        "running, completed, error and cancellation states",
        "Real-time UI patterns",
    ),
    "Practical skills": (
        "SSE endpoints with task streaming",
        "progress indicators in the browser",
        "cancellation and error scenarios",
        "responsive agent interfaces",
    ),
    "Strategic understanding": (
        "Why streaming is essential for coordination",
        "How it improves the user's experience",
        "foundation for orchestration",
    ),
}
PREREQUISITES = ("Messaging", "executor pattern", "uv", "Python 3.10+", "browser")
CRITERIA = [
    "Working SSE endpoint with task streaming",
    "Real-time progress in the browser",
    "Cancellation and error handling",
    "Visual progress and status",
    "Can explain SSE versus WebSocket",
    "Ready for orchestration",
]
SCENARIO_1 = {
    0: "Starting calendar search...",
    25: "Checking personal calendar...",
    50: "Querying team calendars...",
    75: "Finding optimal time slots...",
}
SCENARIO_2 = {0: "Beginning complex analysis...", 30: "Processing data..."}
EVENTS = (
    '{"task_id": "task-123", "status": "running", "progress": 0, '
    '"message": "Starting calendar analysis..."}',
    '{"task_id": "task-123", "status": "running", "progress": 50, '
    '"message": "Checking availability..."}',
    '{"task_id": "task-123", "status": "completed", "progress": 100, '
    '"result": "Found 3 available slots"}',
)
GUIDED = {
    "1-concepts": "Why might agents need real-time communication?",
    "2-implementation": "How do progress updates improve user experience?",
    "3-testing": "How will streaming help coordinate multiple agents?",
}
METACOGNITIVE = (
    "What's the difference between streaming and polling?",
    "How does streaming change agent interaction patterns?",
    "When should agents use streaming vs simple messages?",
)
VALIDATION = (
    "Application: when is streaming better than request/response for agents?",
    "Analysis: how does streaming improve multi-agent coordination?",
    "Evaluation: what are the trade-offs between SSE and WebSockets?",
)
BRIEFS = (
    "design streaming patterns for a business scenario",
    "production-ready error handling",
    "plan streaming coordination for a multi-agent system",
)
REPETITION = {
    "Immediately": ("all streaming scenarios", "progress updates", "SSE versus other"),
    "The next day": ("type of task", "better progress indicator", "coordination"),
    "Before the next step": (
        "across agent types",
        "Requirements of orchestration",
        "complex scenario",
    ),
}
DASHBOARD = (
    '**Carly (Calendar):** "Checking availability..."',
    '**Walter (Weather):** "Fetching forecast..."',
    '**Logan (Location):** "Finding courts..."',
    '**Nancy (Notifications):** "Ready to send..."',
)
RESOURCES = (
    "A2A streaming specification",
    "the SSE standard",
    "developer.mozilla.org",
    "the Python SDK's streaming",
    "Design patterns",
    "Decision frameworks",
    "Coordination strategies",
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDED = re.compile(r"<details markdown=\"1\">.*?</details>", re.S)


def words_of(page: str) -> str:
    """Return the text of a page with single spaces."""
    return " ".join(text_of(page).split())


def section(page: str, heading: str) -> str:
    """Return the text below the heading that begins with `heading`."""
    found = re.search(
        rf"^## {re.escape(heading)}.*?\n(.*?)(?=^## |\Z)", text_of(page), re.M | re.S
    )
    assert found, f"{page} has no heading {heading}"
    return found[1]


def test_objective_is_word_for_word() -> None:
    assert " ".join(section("index", "Objective").split()) == OBJECTIVE


@pytest.mark.parametrize("group", TOPICS)
def test_contents_have_three_groups_of_topics(group: str) -> None:
    _, _, listed = section("index", "What you'll learn").partition(f"**{group}**\n")
    points = [line[2:] for line in listed.strip().split("\n\n")[0].split("\n")]

    assert len(points) == len(TOPICS[group])
    for point, topic in zip(points, TOPICS[group], strict=True):
        assert topic in point


def test_prerequisites_are_named() -> None:
    named = section("index", "Prerequisites")
    assert all(prerequisite in named for prerequisite in PREREQUISITES)


def test_success_criteria_are_a_checklist_that_a_command_checks() -> None:
    listed = section("index", "Success criteria")
    assert re.findall(r"^- \[ \] (.+)$", listed, re.M) == CRITERIA
    assert "`scripts/lesson check`" in listed
    for criterion in CRITERIA:
        assert f"✓ {criterion}" in text_of("3-testing")


def test_motivation_comes_first() -> None:
    motivation, _, _ = words_of("index").partition("## Objective")
    assert '"simple" calendar check' in motivation
    assert "five minutes" in motivation
    assert "AI tools" in motivation
    assert "live in your browser within 20 minutes" in motivation


def test_concepts_have_all_their_topics() -> None:
    page = text_of("1-concepts")
    for term in (
        "request/response",
        "`Task`",
        "`TaskStatusUpdateEvent`",
        "`TaskArtifactUpdateEvent`",
        "`TASK_STATE_INPUT_REQUIRED`",
        "WebSocket",
        "## Plan the page",
        "## Why coordination needs it",
    ):
        assert term in page


def test_version_header_is_explained_where_it_first_appears() -> None:
    assert "A2A-Version" not in text_of("index")
    for page in ("1-concepts", f"{FURTHER}/stream"):
        before, _, after = text_of(page).partition("header")
        assert "A2A-Version" in before
        assert "version of the A2A protocol" in " ".join(after.split())


def test_event_json_is_as_given() -> None:
    shown = [block.text for block in blocks_in(LESSON / "1-concepts.md")]
    events = [
        line.removeprefix("data: ") for text in shown for line in text.splitlines()
    ]
    assert [event for event in events if "task-123" in event] == list(EVENTS)


@pytest.mark.parametrize("page", ["1-concepts", "3-testing"])
def test_first_scenario_is_word_for_word(page: str) -> None:
    for percent, message in SCENARIO_1.items():
        assert f"{percent} %  {message}" in text_of(page)
    assert "Found 3 available slots for tomorrow!" in text_of(page)


def test_learner_cancels_the_second_scenario_at_30_percent() -> None:
    page = text_of("3-testing")
    for percent, message in SCENARIO_2.items():
        assert f"{percent} %  {message}" in page
    assert 'When your page shows 30 % "Processing data...", press' in " ".join(
        page.split()
    )
    assert "Task cancelled by user request" in page


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_asks_its_guided_question(phase: str) -> None:
    assert f'"{GUIDED[phase]}"' in text_of(phase)
    assert f'"{GUIDED[phase]}"' in section("questions", "While you build")


def test_question_before_coding_comes_before_everything_else() -> None:
    before, _, _ = text_of("1-concepts").partition("\n## ")
    assert GUIDED["1-concepts"] in before


def test_metacognitive_prompts_have_no_answers() -> None:
    prompts = section("questions", "Think about your thinking")
    assert all(f'"{prompt}"' in prompts for prompt in METACOGNITIVE)
    assert "<details" not in prompts
    assert len(prompts.split()) < 60


def test_validation_questions_have_folded_answers() -> None:
    answers = section("questions", "Validate what you know")
    visible = FOLDED.sub("(folded)", answers)
    asked = re.findall(r"^\*\*\d\. (.+)\*\*\n\n\(folded\)$", visible, re.M)
    assert tuple(asked) == VALIDATION
    assert all(len(answer.split()) > 50 for answer in FOLDED.findall(answers))


def test_assessment_has_three_forms() -> None:
    assert "you see" in section("assessment", "Formative")
    assert "scripts/lesson check" in section("assessment", "Summative")
    briefs = re.split(r"^### ", section("assessment", "Authentic"), flags=re.M)[1:]
    assert len(briefs) == len(BRIEFS)
    for brief, title in zip(briefs, BRIEFS, strict=True):
        assert title in brief.splitlines()[0]
        assert "| | 0 points | 1 point | 2 points |" in brief
        assert len(re.findall(r"^\| \*\*", brief, re.M)) == 4


@pytest.mark.parametrize("name", REPETITION)
def test_repetition_has_three_sets_that_can_be_run(name: str) -> None:
    exercises = re.split(r"^### ", section("repetition", name), flags=re.M)[1:]
    assert len(exercises) == 3
    for exercise, topic in zip(exercises, REPETITION[name], strict=True):
        assert topic in exercise.splitlines()[0]
        assert BLOCK.search(exercise)


def test_preview_shows_the_dashboard_of_the_next_step() -> None:
    preview = section("next", "The Host Agent Dashboard")
    assert all(line in preview for line in DASHBOARD)
    assert "<http://127.0.0.1:8000>" in preview


def test_preview_runs_several_tasks_as_one_stream() -> None:
    page = text_of("next")
    assert "async with TaskManager() as manager" in page
    assert page.count("manager.start_task(") == 3
    assert "manager.stream_all()" in page
    assert 'yield f"data: {json.dumps(update)}\\n\\n"' in page
    assert "docs/lesson/code/parallel.py" in page


def test_resources_are_complete() -> None:
    assert all(resource in text_of("resources") for resource in RESOURCES)


@pytest.mark.parametrize(
    "topic", ["Timing", "What goes wrong", "Reset", "A class without network"]
)
def test_teachers_page_has_its_topics(topic: str) -> None:
    assert len(section("teacher", topic).split()) > 40


@pytest.mark.parametrize(
    "page", sorted(LESSON.rglob("*.md")), ids=lambda page: str(page.relative_to(LESSON))
)
def test_every_link_has_a_target(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        path, _ = urldefrag(link)
        assert "://" in link or not path or (page.parent / path).exists(), link
