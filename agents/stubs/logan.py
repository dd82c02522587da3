"""Logan knows the places: he finds a free court nearby.

Each function is a script; LOGAN at the end describes the agent.
"""

from dataclasses import dataclass

from ..steps import (
    AgentSpec,
    Branch,
    Deliver,
    Fail,
    File,
    Parallel,
    Progress,
    Request,
    Say,
    Script,
    Skill,
)


@dataclass(frozen=True)
class Court:
    """A place: what Logan finds there, how long each call lasts, where on the map."""

    name: str
    finding: str
    beats: float
    x: int
    y: int
    free: bool = True
    answers_at_once: bool = True


COURTS = (
    Court("Riverside Courts", "2 of 4 courts free", 0.5, 60, 110),
    Court("Harbour Club", "fully booked", 0.75, 230, 60, False, answers_at_once=False),
    Court("Old Mill Park", "1 of 2 courts free", 0.6, 150, 30),
)


async def venue_search(request: Request) -> Script:
    """Call all places at once, then the one that did not answer once more."""
    answered: list[Court] = []
    yield Progress(0, "Finding courts...")
    yield Parallel({c.name: call(c, answered) for c in COURTS}, until=60)
    silent = [court for court in COURTS if court not in answered]
    yield Say(f"{', '.join(c.name for c in silent)}: trying once more...", beats=0.25)
    yield Parallel({c.name: call(c, answered, patient=True) for c in silent}, until=85)
    yield Progress(90, "Comparing distance and price...", beats=0.25)
    yield Deliver(name="map", file=draw_map())
    yield Deliver(
        "Riverside Courts, court 3, is free tomorrow at 18:30.",
        data={"court": "Riverside Courts 3", "at": "18:30", "minutes_away": 12},
    )


async def call(court: Court, answered: list[Court], patient: bool = False) -> Branch:
    yield Progress(20, f"{court.name}: calling...", court.beats)
    if not (patient or court.answers_at_once):
        yield Fail(f"{court.name}: no answer")
    yield Progress(60, f"{court.name}: asking for tomorrow evening...", court.beats)
    yield Progress(90, f"{court.name}: {court.finding}", beats=0.5)
    answered.append(court)


def draw_map() -> File:
    """Draw the courts and the river; places with a free court are green."""
    marks = [
        f'<circle cx="{c.x}" cy="{c.y}" r="9" fill="{"green" if c.free else "gray"}"/>'
        f'<text x="{c.x}" y="{c.y - 14}" text-anchor="middle">{c.name}</text>'
        for c in COURTS
    ]
    lines = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 150"'
        ' font-family="sans-serif" font-size="11">',
        '<rect width="300" height="150" fill="whitesmoke"/>',
        '<path d="M0 135 Q120 90 300 120" stroke="skyblue" stroke-width="12"'
        ' fill="none"/>',
        *marks,
        "</svg>",
    )
    return File("courts.svg", "image/svg+xml", "\n".join(lines).encode())


LOGAN = AgentSpec(
    name="logan",
    title="Logan",
    description="Knows the places: finds a free court nearby.",
    port=8003,
    skills=(
        Skill(
            id="venue_search",
            name="Find a court",
            description="Asks the courts nearby which are free, and picks one.",
            script=venue_search,
            examples=("Find a tennis court for tomorrow evening",),
            tags=("court", "courts", "venue", "place", "where"),
        ),
    ),
)
