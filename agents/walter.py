"""Owns Walter, who watches the weather: his card's facts and his scripts.

__main__.py starts him; executor.py plays what his scripts yield.
"""

from agents.steps import (
    Character,
    Chunk,
    Deliver,
    Progress,
    Reply,
    Request,
    Skill,
    Work,
)

TILES = 8
HOURS = ((17, "sunny", 23), (18, "dry", 21), (19, "dry", 20), (20, "cloudy", 18))


async def weather_forecast(request: Request) -> Work:
    """Many short steps, all alike, then a forecast that comes hour by hour."""
    yield Progress(0, "Fetching forecast…", beats=0.5)
    for tile in range(1, TILES + 1):
        yield Progress(10 * tile, f"Radar tile {tile} of {TILES}", beats=0.35)
    yield Progress(90, "Reading wind and rain…", beats=0.35)
    for hour, sky, celsius in HOURS:
        yield Chunk("forecast", f"{hour}:00 {sky}, {celsius} °C\n", beats=0.3)
    hours = [{"hour": hour, "temperature_c": celsius} for hour, _, celsius in HOURS]
    yield Chunk("forecast", data={"hours": hours}, last=True, beats=0)
    yield Deliver(
        "Dry and 21 °C tomorrow at 18:30, with a light wind.",
        data={"rain_mm": 0, "temperature_c": 21, "wind_m_s": 3},
    )


async def weather_now(request: Request) -> Work:
    """Too small a question for a task: he answers straight away."""
    yield Reply("Dry, 19 °C and a light wind from the west.")


WALTER = Character(
    name="walter",
    title="Walter",
    description="Watches the weather: says whether it is fit to play outside.",
    skills=(
        Skill(
            id="weather_forecast",
            name="Forecast the weather",
            description="Reads the radar, tile by tile, and says what it means.",
            work=weather_forecast,
            examples=("Will it rain tomorrow evening?",),
            tags=("weather", "forecast", "rain", "wind", "sun"),
        ),
        Skill(
            id="weather_now",
            name="Look out of the window",
            description="Says at once what the weather is like; that makes no task.",
            work=weather_now,
            examples=("What is the weather like right now?",),
            tags=("weather", "now", "outside", "window"),
        ),
    ),
)
