"""Our agent in the agents benchmark: its tasks only send updates.

Run it with `python -m bench.our_agent PORT`. The text of a message is the number of
updates.
"""

from __future__ import annotations

import sys

from agents.__main__ import exit_on_signals
from agents.process import listen, serve
from agents.settings import Settings
from agents.steps import AgentSpec, Deliver, Progress, Request, Script, Skill


async def ticks(request: Request) -> Script:
    """Send updates with progress only, like the demo agents."""
    updates = int(request.text)
    for number in range(updates):
        yield Progress(100 * number // updates, beats=0)
    yield Deliver("Done.")


async def words(request: Request) -> Script:
    """Send a message in every update, like the plain agent."""
    updates = int(request.text)
    for number in range(updates):
        yield Progress(100 * number // updates, f"Step {number}…", beats=0)
    yield Deliver("Done.")


OURS = AgentSpec(
    name="ours",
    title="Ours",
    description="Sends many updates.",
    skills=tuple(
        Skill(work.__name__, work.__name__, "Sends.", work, ("100",), (work.__name__,))
        for work in (ticks, words)
    ),
)

if __name__ == "__main__":
    exit_on_signals()
    port = int(sys.argv[1])
    listener = listen("127.0.0.1", port)
    serve(Settings(OURS, "127.0.0.1", port, step_s=0.0), listener)
