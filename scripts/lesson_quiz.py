"""Asks three multiple-choice questions about SSE and WebSocket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Question:
    text: str
    choices: tuple[str, str, str]
    answer: str
    reason: str


QUESTIONS = (
    Question(
        "In which direction does a connection carry messages?",
        (
            "SSE: from the server to the client. WebSocket: in both directions.",
            "SSE: in both directions. WebSocket: from the server to the client.",
            "Both carry messages in both directions.",
        ),
        "a",
        "An SSE stream is the response to one HTTP request, so only the server sends. "
        "The client uses other requests, for example to cancel a task.",
    ),
    Question(
        "A browser's connection breaks. Who reconnects?",
        (
            "Nobody: the user must reload the page.",
            "EventSource does, and sends Last-Event-ID. "
            "With WebSocket, your own code must reconnect and resume.",
            "WebSocket does, and sends Last-Event-ID. "
            "With SSE, your own code must reconnect and resume.",
        ),
        "b",
        "Reconnecting and Last-Event-ID are parts of the SSE standard.",
    ),
    Question(
        "Which task needs a WebSocket rather than SSE?",
        (
            "An agent reports the progress of a calendar search.",
            "A page shows the updates of ten agents.",
            "Two people edit one document, and each key press goes to the other.",
        ),
        "c",
        "Many small messages go in both directions there. Progress only goes from the "
        "agent to the page, and SSE is simpler: plain HTTP, also through proxies.",
    ),
)


def take_quiz(passed: Path) -> bool:
    """Ask each question. If all answers are right, write the file `passed`."""
    right = sum([_ask(number, q) for number, q in enumerate(QUESTIONS, start=1)])
    print(f"\n{right} of {len(QUESTIONS)} answers are right.")
    if right < len(QUESTIONS):
        print("Read docs/lesson/1-concepts.md again, then run `scripts/lesson quiz`.")
        return False
    passed.write_text("All answers were right.\n", encoding="utf-8")
    return True


def _ask(number: int, question: Question) -> bool:
    print(f"\n{number}. {question.text}")
    for letter, choice in zip("abc", question.choices, strict=True):
        print(f"   {letter}) {choice}")
    while (answer := input("Your answer (a, b or c): ").strip().lower()) not in (
        "a",
        "b",
        "c",
    ):
        print("Type a, b or c.")
    is_right = answer == question.answer
    print(f"{'Right' if is_right else 'Wrong'}. {question.reason}")
    return is_right
