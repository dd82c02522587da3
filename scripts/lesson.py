"""The commands of scripts/lesson: start, check, quiz and reset.

lesson_check.py has the success criteria, lesson_quiz.py the questions.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from scripts.lesson_check import Lesson, check_all, find_learner_agents
from scripts.lesson_quiz import take_quiz

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "docs" / "lesson" / "code" / "starter"
LESSON_PORTS = range(8005, 8010)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parse(argv)
    lesson = Lesson(arguments.url, arguments.host, arguments.folder)
    commands = {"start": start, "check": check, "quiz": quiz, "reset": reset}
    try:
        return commands[arguments.command](lesson)
    except (EOFError, KeyboardInterrupt):
        print()
        return 130


def start(lesson: Lesson) -> int:
    """Copy the starter to the learner's folder."""
    folder = lesson.folder
    if folder.exists():
        print(
            f"{folder} already exists. Continue there, or run `scripts/lesson reset` "
            "to delete it and start again.",
            file=sys.stderr,
        )
        return 1
    shutil.copytree(STARTER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    print(f"Copied agent.py and page.html to {_shorten(folder)}/.")
    print(f"Run the agent: .venv/bin/python {_shorten(folder)}/agent.py")
    return 0


def check(lesson: Lesson) -> int:
    """Check the success criteria. Return 0 if all of them are met."""
    return 0 if asyncio.run(check_all(lesson)) else 1


def quiz(lesson: Lesson) -> int:
    """Ask the questions. Return 0 if all answers are right."""
    if not lesson.folder.exists():
        print("Run `scripts/lesson start` first.", file=sys.stderr)
        return 1
    return 0 if take_quiz(lesson.quiz_passed) else 1


def reset(lesson: Lesson) -> int:
    """Delete the learner's folder, and remove the agents from the host."""
    shutil.rmtree(lesson.folder, ignore_errors=True)
    print(f"Deleted {_shorten(lesson.folder)}/.")
    ports = {*LESSON_PORTS, urlsplit(lesson.url).port}
    try:
        names = find_learner_agents(lesson.host_url, ports)
        for name in names:
            url = f"{lesson.host_url}/agents/{name}"
            httpx.delete(url, trust_env=False).raise_for_status()
            print(f"Removed the agent {name} from the host.")
    except httpx.HTTPError as error:
        print(
            f"The host at {lesson.host_url} did not remove the learner's agents "
            f"({error}). Run `scripts/start`, then `scripts/lesson reset` again.",
            file=sys.stderr,
        )
        return 1
    return 0


def _shorten(folder: Path) -> str:
    """Return the path from the clone, if the folder is in it."""
    inside = folder.is_relative_to(ROOT)
    return str(folder.relative_to(ROOT) if inside else folder)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/lesson")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("start", "copy the starter to my-agent/"),
        ("check", "check the six success criteria"),
        ("quiz", "answer three questions about SSE and WebSocket"),
        ("reset", "delete my-agent/ and all other traces of the lesson"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize())
        command.add_argument(
            "--url", default="http://localhost:8005", help="your agent: %(default)s"
        )
        command.add_argument(
            "--host", default="http://localhost:8000", help="the host: %(default)s"
        )
        command.add_argument(
            "--folder",
            type=Path,
            default=ROOT / "my-agent",
            help="your files: my-agent",
        )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
