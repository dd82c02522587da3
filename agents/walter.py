"""Owns Walter, who watches the weather: his card's facts and his script.

__main__.py starts him; executor.py plays what his script yields.
"""

from agents.steps import Character, Deliver, Progress, Request, Skill, Work

TILES = 8


async def weather_forecast(request: Request) -> Work:
    """Many short steps, all alike: the bar moves all the time."""
    yield Progress(0, "Fetching forecast…", beats=0.5)
    for tile in range(1, TILES + 1):
        yield Progress(10 * tile, f"Radar tile {tile} of {TILES}", beats=0.5)
    yield Progress(90, "Reading wind and rain…", beats=0.5)
    yield Deliver(
        "Dry and 21 °C tomorrow at 18:30, with a light wind.",
        data={"rain_mm": 0, "temperature_c": 21, "wind_m_s": 3},
    )


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
    ),
)
