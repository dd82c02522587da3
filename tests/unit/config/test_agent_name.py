"""Tests of host/config/agent_name.py: names from URLs."""

from __future__ import annotations

import pytest

from host.config.agent_name import suggest_name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://agents.example.org/travel", "travel"),
        ("https://agents.example.org/travel/a2a", "travel"),
        ("https://agents.example.org/Travel%20Plans/", "travel-20plans"),
        ("https://carly.example/a2a/v1", "carly"),
        ("https://api.carly.example", "carly"),
        ("https://www.example.org/.well-known/agent-card.json", "example"),
        ("https://x.example/agents/weather.json", "weather"),
        ("http://127.0.0.1:8001", "agent-8001"),
        ("http://[::1]:8001/a2a", "agent-8001"),
        ("http://[fd00::a]:8001", "agent-8001"),
        ("http://localhost:8001/", "agent-8001"),
        ("http://10.0.0.7", "agent"),
        ("http://walter", "walter"),
        ("http://walter:9000", "walter"),
        ("https://taken.example", "taken-3"),
        ("https://host.example/api/V2", "agent"),
        ("https://x.example/" + "long" * 20, "long" * 8),
        ("https://x.example/天気", "x"),
    ],
)
def test_name_is_taken_from_the_url(url: str, name: str) -> None:
    assert suggest_name(url, {"taken", "taken-2"}) == name
