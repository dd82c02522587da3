"""Tests the settings of agents that were added at run time, in agents.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host.config.agent_settings import AgentSettings
from host.errors import ConfigError
from host.following import roster_file
from host.following.roster_file import FILE, AddedAgent, RosterChanges

URL = "https://agents.example.org/travel"
SLOW = AgentSettings(URL, stalled_after_s=0, poll_s=2, poll_idle_s=300, max_tasks=9)


def test_settings_of_an_added_agent_are_kept(tmp_path: Path) -> None:
    added = RosterChanges({"trips": AddedAgent.of(SLOW)})
    roster_file.write(tmp_path, added)

    changes = roster_file.read(tmp_path)
    assert changes.apply({}, public_only=False) == {"trips": SLOW}


def test_default_settings_are_not_in_the_file(tmp_path: Path) -> None:
    agent = AddedAgent.of(AgentSettings(URL))
    roster_file.write(tmp_path, RosterChanges({"trips": agent}))

    assert json.loads((tmp_path / FILE).read_text())["added"]["trips"] == {"url": URL}


def test_file_without_these_settings_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"added": {"trips": {"url": URL}}}))

    changes = roster_file.read(tmp_path)
    assert changes.apply({}, public_only=False) == {"trips": AgentSettings(URL)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poll_s", 0),
        ("poll_s", "1"),
        ("poll_idle_s", 3601),
        ("poll_idle_s", 0.1),
        ("stalled_after_s", -1),
    ],
)
def test_file_with_an_unusable_setting_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    agent = {"url": URL, name: value}
    (tmp_path / FILE).write_text(json.dumps({"added": {"trips": agent}}))

    with pytest.raises(ConfigError, match=f"{name}.*Correct it"):
        roster_file.read(tmp_path)


@pytest.mark.parametrize(
    ("settings", "stays"),
    [
        (AgentSettings(URL), "from the file"),
        (AgentSettings(URL, poll_s=2), "from the file"),
        (AgentSettings(URL, poll_s=3), "as added"),
        (AgentSettings(URL, "/card.json"), "as added"),
    ],
)
def test_removed_agent_that_is_added_again_keeps_its_settings_in_the_file(
    settings: AgentSettings, stays: str
) -> None:
    configured = {"trips": AgentSettings(URL, trusted_hosts=("a.example",), poll_s=2)}
    changes = RosterChanges().remove("trips", configured)
    changes = changes.add("trips", AddedAgent.of(settings), configured)

    is_restored = changes.apply(configured, public_only=False) == configured
    assert is_restored == (stays == "from the file")
