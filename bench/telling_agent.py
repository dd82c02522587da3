"""Owns our agent in the agents benchmark: its scripts do nothing but tell updates.

`python -m bench.telling_agent PORT`; a message's text says how many. bench/agents.py
starts it and reads what it tells.
"""

from __future__ import annotations

import sys

from agents.__main__ import end_with_0_when_asked, listen, serve
from agents.settings import Settings
from agents.steps import Character, Deliver, Progress, Request, Skill, Work


async def ticks(request: Request) -> Work:
    """As the scripts of the four do it: the percentage alone, no words."""
    updates = int(request.text)
    for number in range(updates):
        yield Progress(100 * number // updates, beats=0)
    yield Deliver("Done.")


async def words(request: Request) -> Work:
    """With a message in every update, as the plain agent does it."""
    updates = int(request.text)
    for number in range(updates):
        yield Progress(100 * number // updates, f"Step {number}…", beats=0)
    yield Deliver("Done.")


OURS = Character(
    name="ours",
    title="Ours",
    description="Tells many updates.",
    skills=tuple(
        Skill(work.__name__, work.__name__, "Tells.", work, ("100",), (work.__name__,))
        for work in (ticks, words)
    ),
)

if __name__ == "__main__":
    end_with_0_when_asked()
    port = int(sys.argv[1])
    listener = listen("127.0.0.1", port)
    serve(Settings(OURS, "127.0.0.1", port, step_s=0.0), listener)
