"""Owns Logan, who knows the places: his card's facts and his script.

__main__.py starts him; executor.py plays what his script yields.
"""

from agents.steps import Character, Deliver, Progress, Request, Skill, Work

# What he finds at each place, and how many beats the place takes to answer.
COURTS = (
    ("Riverside Courts", "2 of 4 courts free", 0.5),
    ("Harbour Club", "fully booked", 2.0),
    ("Old Mill Park", "1 of 2 courts free", 1.0),
)


async def venue_search(request: Request) -> Work:
    """Few steps of very different length: some places answer late."""
    yield Progress(0, "Finding courts…", beats=1.5)
    for number, (court, finding, beats) in enumerate(COURTS, start=1):
        yield Progress(25 * number, f"{court}: {finding}", beats)
    yield Progress(90, "Comparing distance and price…", beats=0.5)
    yield Deliver(
        "Riverside Courts, court 3, is free tomorrow at 18:30.",
        data={"court": "Riverside Courts 3", "at": "18:30", "minutes_away": 12},
    )


LOGAN = Character(
    name="logan",
    title="Logan",
    description="Knows the places: finds a free court nearby.",
    skills=(
        Skill(
            id="venue_search",
            name="Find a court",
            description="Asks the courts nearby which are free, and picks one.",
            work=venue_search,
            examples=("Find a tennis court for tomorrow evening",),
            tags=("court", "courts", "venue", "place", "where"),
        ),
    ),
)
