"""Walter watches the weather: he says whether you can play outside.

Each function is a script; WALTER at the end describes the agent.
"""

from ..steps import (
    AgentSpec,
    Chunk,
    Deliver,
    Progress,
    Reply,
    Request,
    Script,
    Skill,
)

TILES = 8
HOURS = ((17, "sunny", 23), (18, "dry", 21), (19, "dry", 20), (20, "cloudy", 18))


async def weather_forecast(request: Request) -> Script:
    """Many short steps, then a forecast that arrives hour by hour."""
    yield Progress(0, "Fetching forecast...", beats=0.5)
    for tile in range(1, TILES + 1):
        yield Progress(10 * tile, f"Radar tile {tile} of {TILES}", beats=0.35)
    yield Progress(90, "Reading wind and rain...", beats=0.35)
    for hour, sky, celsius in HOURS:
        yield Chunk("forecast", f"{hour}:00 {sky}, {celsius} °C\n", beats=0.3)
    hours = [{"hour": hour, "temperature_c": celsius} for hour, _, celsius in HOURS]
    yield Chunk("forecast", data={"hours": hours}, last=True, beats=0)
    yield Deliver(
        "Dry and 21 °C tomorrow at 18:30, with a light wind.",
        data={"rain_mm": 0, "temperature_c": 21, "wind_m_s": 3},
    )


async def weather_now(request: Request) -> Script:
    """Answers with a message, without a task."""
    yield Reply("Dry, 19 °C and a light wind from the west.")


WALTER = AgentSpec(
    name="walter",
    title="Walter",
    description="Watches the weather: says whether it is fit to play outside.",
    port=8002,
    skills=(
        Skill(
            id="weather_forecast",
            name="Forecast the weather",
            description="Reads the radar, tile by tile, and says what it means.",
            script=weather_forecast,
            examples=("Will it rain tomorrow evening?",),
            tags=("weather", "forecast", "rain", "wind", "sun"),
        ),
        Skill(
            id="weather_now",
            name="Look out of the window",
            description="Says at once what the weather is like; that makes no task.",
            script=weather_now,
            examples=("What is the weather like right now?",),
            tags=("weather", "now", "outside", "window"),
        ),
    ),
)
