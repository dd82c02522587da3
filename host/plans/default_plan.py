"""The plan of a host whose courtside.toml has no [plans]: it schedules a game."""

from __future__ import annotations

from collections.abc import Collection

from .plan import Plan, Step

SCHEDULE = Plan(
    "schedule",
    "Schedule a game",
    "Finds a time, the weather and a place, then asks before it invites everyone.",
    ("Schedule a game tomorrow",),
    {
        step.key: step
        for step in (
            Step("calendar", "carly", "calendar_check", retries=1),
            Step("weather", "walter", "weather_forecast", retries=1),
            Step("venue", "logan", "venue_search", retries=1),
            Step(
                "notify",
                "nancy",
                "invite_everyone",
                "{request}\nWhen: {calendar}\nWeather: {weather}\nWhere: {venue}",
                needs=("calendar", "weather", "venue"),
            ),
        )
    },
)


def get_default_plans(agents: Collection[str]) -> dict[str, Plan]:
    """Return the default plan by key, or nothing if one of its agents is missing."""
    needed = {step.agent for step in SCHEDULE.steps.values()}
    return {SCHEDULE.key: SCHEDULE} if needed <= set(agents) else {}
