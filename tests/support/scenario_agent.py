"""An agent with one script for each thing that can happen to a task.

Run it with `python -m tests.support.scenario_agent PORT`.
"""

from __future__ import annotations

import sys

from agents.__main__ import exit_on_signals
from agents.process import listen, serve
from agents.settings import Settings
from agents.steps import (
    AgentSpec,
    Ask,
    Branch,
    Chunk,
    Deliver,
    Fail,
    File,
    NeedAuth,
    Parallel,
    Progress,
    Reject,
    Reply,
    Request,
    Say,
    Script,
    Skill,
)


async def steady(request: Request) -> Script:
    yield Progress(0, "Starting…")
    yield Say("Half way…")
    yield Progress(50)
    yield Progress(20, "Never back…")
    yield Deliver("All good.", data={"n": 3})


async def asking(request: Request) -> Script:
    yield Progress(30, "Thinking…")
    answer = yield Ask("Red or blue?", ("Red", "Blue"))
    answer += (yield Ask("Sure?")) if answer == "Red" else ""
    yield Deliver(f"You said {answer}.")


async def crashing(request: Request) -> Script:
    yield Progress(40, "So far so good…")
    raise ZeroDivisionError("division by zero")


async def failing(request: Request) -> Script:
    yield Progress(40, "Trying…")
    yield Fail("Nobody lives at 1 Nowhere Lane; check the address.")


async def silent(request: Request) -> Script:
    yield Deliver("Nothing to tell.")


async def streaming(request: Request) -> Script:
    yield Progress(10, "Writing…")
    yield Chunk("story", "Once ")
    yield Chunk("notes", "on the side", last=True)
    yield Chunk("story", "upon a time", data={"page": 2})
    yield Chunk("story", "they lived.", last=True)
    picture = File("dot.svg", "image/svg+xml", b"<svg/>")
    yield Deliver(name="picture", file=picture)
    yield Deliver("The end.")


async def parallel(request: Request) -> Script:
    yield Progress(10, "Two at once…")
    yield Parallel({"left": branch(2), "right": branch(4, fails=True)}, until=60)
    yield Parallel({"right": branch(2)}, until=80)
    yield Deliver("Both done.")


async def branch(steps: int, fails: bool = False) -> Branch:
    for step in range(1, steps):
        yield Progress(100 * step // steps, f"{step} of {steps}")
    if fails:
        yield Fail("gave up")
    yield Say("nearly there")


async def crashing_branch(request: Request) -> Script:
    async def crash() -> Branch:
        yield Progress(50, "So far so good…")
        raise ZeroDivisionError("division by zero")

    yield Parallel({"left": crash(), "right": branch(9)})


async def refusing(request: Request) -> Script:
    yield Reject("Scenario does not do that; ask somebody else.")


async def needing_leave(request: Request) -> Script:
    yield Progress(20, "Getting ready…")
    answer = yield NeedAuth("May Scenario?", ("Allow", "Refuse"))
    yield Deliver(f"The answer was {answer}.")


async def replying(request: Request) -> Script:
    yield Reply(f"You said {request.text}.")


async def replying_late(request: Request) -> Script:
    yield Say("Let me think…")
    yield Reply("Too late.")


SCRIPTS = (
    steady,
    asking,
    crashing,
    failing,
    silent,
    streaming,
    parallel,
    crashing_branch,
    refusing,
    needing_leave,
    replying,
    replying_late,
)
SCENARIO_AGENT = AgentSpec(
    name="scenario",
    title="Scenario",
    description="Has one script for each thing that can happen.",
    skills=tuple(
        Skill(work.__name__, work.__name__, "A test.", work, ("Go",), (work.__name__,))
        for work in SCRIPTS
    ),
)


def create_ticking_agent(ticks: int) -> AgentSpec:
    """Create an agent whose task has `ticks` updates without text, and three more."""

    async def work(request: Request) -> Script:
        for tick in range(ticks):
            yield Progress(100 * tick // ticks)
        yield Deliver("Ticked.")

    skill = Skill("ticking", "ticking", "A test.", work, ("Go",), ("go",))
    return AgentSpec("scenario", "Scenario", "A test.", (skill,))


if __name__ == "__main__":
    exit_on_signals()
    settings = Settings(SCENARIO_AGENT, "127.0.0.1", int(sys.argv[1]), 0.05)
    serve(settings, listen(settings.host, settings.port))
