"""Owns Carly, who keeps the calendar: her card's facts and her scripts.

__main__.py starts her; executor.py plays what her scripts yield.
"""

from agents.steps import Character, Deliver, Progress, Request, Say, Skill, Work


async def calendar_check(request: Request) -> Work:
    """The lesson's own script, word for word."""
    yield Progress(0, "Starting calendar search…")
    yield Progress(25, "Checking personal calendar…")
    yield Progress(50, "Querying team calendars…")
    yield Progress(75, "Finding optimal time slots…")
    yield Deliver("Found 3 available slots for tomorrow!")


async def availability(request: Request) -> Work:
    yield Progress(20, "Checking availability…")
    yield Say("Robin is only free from 18:00…", beats=1.5)
    yield Progress(80, "Comparing four calendars…")
    yield Deliver(
        "Everyone is free tomorrow from 18:30 to 20:00.",
        data={"from": "18:30", "to": "20:00", "people": 4},
    )


CARLY = Character(
    name="carly",
    title="Carly",
    description="Keeps the calendar: finds when people can meet.",
    skills=(
        Skill(
            id="calendar_check",
            name="Check the calendar",
            description="Looks through all calendars for free slots tomorrow.",
            work=calendar_check,
            examples=("Find a slot for a game tomorrow",),
            tags=("calendar", "slot", "slots", "schedule", "meeting"),
        ),
        Skill(
            id="availability",
            name="Check availability",
            description="Finds the hours in which everyone is free.",
            work=availability,
            examples=("When is everyone free tomorrow?",),
            tags=("availability", "available", "free", "everyone"),
        ),
    ),
)
