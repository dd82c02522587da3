"""Carly keeps the calendar: she finds when people can meet.

Each function is a script; CARLY at the end describes the agent.
"""

from ..steps import AgentSpec, Deliver, Progress, Request, Say, Script, Skill


async def calendar_check(request: Request) -> Script:
    """The lesson's own script, word for word."""
    yield Progress(0, "Starting calendar search...")
    yield Progress(25, "Checking personal calendar...")
    yield Progress(50, "Querying team calendars...")
    yield Progress(75, "Finding optimal time slots...")
    yield Deliver("Found 3 available slots for tomorrow!")


async def availability(request: Request) -> Script:
    yield Progress(20, "Checking availability...")
    yield Say("Robin is only free from 18:00...", beats=1.5)
    yield Progress(80, "Comparing four calendars...")
    yield Deliver(
        "Everyone is free tomorrow from 18:30 to 20:00.",
        data={"from": "18:30", "to": "20:00", "people": 4},
    )


async def complex_analysis(request: Request) -> Script:
    """The lesson's second script: long enough to cancel."""
    yield Progress(0, "Beginning complex analysis...", beats=3)
    yield Progress(30, "Processing data...", beats=3)
    yield Progress(55, "Weighing 240 combinations...", beats=2)
    yield Progress(80, "Ranking the best three...", beats=2)
    yield Deliver(
        "Tuesdays at 18:30 suit everyone best.",
        data={"best": ["Tue 18:30", "Thu 19:00", "Sun 10:00"], "weeks": 12},
    )


CARLY = AgentSpec(
    name="carly",
    title="Carly",
    description="Keeps the calendar: finds when people can meet.",
    port=8001,
    skills=(
        Skill(
            id="calendar_check",
            name="Check the calendar",
            description="Looks through all calendars for free slots tomorrow.",
            script=calendar_check,
            examples=("Find a slot for a game tomorrow",),
            tags=("calendar", "slot", "slots", "schedule", "meeting"),
        ),
        Skill(
            id="availability",
            name="Check availability",
            description="Finds the hours in which everyone is free.",
            script=availability,
            examples=("When is everyone free tomorrow?",),
            tags=("availability", "available", "free", "everyone"),
        ),
        Skill(
            id="complex_analysis",
            name="Analyse the calendars",
            description="Weighs twelve weeks of calendars; takes a while.",
            script=complex_analysis,
            examples=("Run a complex analysis of the last twelve weeks",),
            tags=("analysis", "analyse", "complex", "weeks"),
        ),
    ),
)
