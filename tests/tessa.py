"""Tessa, an agent for tests: one script for each thing that can happen to a task.

`python -m tests.tessa PORT` serves her as `python -m agents` serves the four.
"""

from __future__ import annotations

import sys

from agents.__main__ import end_with_0_when_asked, listen, serve
from agents.steps import (
    Ask,
    Character,
    Deliver,
    Fail,
    Progress,
    Request,
    Say,
    Skill,
    Work,
)


async def steady(request: Request) -> Work:
    yield Progress(0, "Starting…")
    yield Say("Half way…")
    yield Progress(50)
    yield Progress(20, "Never back…")
    yield Deliver("All good.", data={"n": 3})


async def asking(request: Request) -> Work:
    yield Progress(30, "Thinking…")
    answer = yield Ask("Red or blue?", ("Red", "Blue"))
    answer += (yield Ask("Sure?")) if answer == "Red" else ""
    yield Deliver(f"You said {answer}.")


async def crashing(request: Request) -> Work:
    yield Progress(40, "So far so good…")
    raise ZeroDivisionError("division by zero")


async def failing(request: Request) -> Work:
    yield Progress(40, "Trying…")
    yield Fail("Nobody lives at 1 Nowhere Lane; check the address.")


async def silent(request: Request) -> Work:
    yield Deliver("Nothing to tell.")


SCRIPTS = (steady, asking, crashing, failing, silent)
TESSA = Character(
    name="tessa",
    title="Tessa",
    description="Has one script for each thing that can happen.",
    skills=tuple(
        Skill(work.__name__, work.__name__, "A test.", work, ("Go",), (work.__name__,))
        for work in SCRIPTS
    ),
)

if __name__ == "__main__":
    end_with_0_when_asked()
    serve(TESSA, listen("127.0.0.1", int(sys.argv[1])), "127.0.0.1", 0.05)
