"""Owns `courtside config`: the settings in effect, and where each of them stands.

Prints them; secrets only as given or not.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from ..config.load import Asked, Config, read
from ..config.settings import SETTINGS
from .options import given, with_agents, with_settings


@click.command(
    epilog="""\b
Examples:
  courtside config
  COURTSIDE_PORT=9000 courtside config http://localhost:9001
  courtside config --json | jq -r .settings.port.value

Takes the words that `courtside` takes, and says what they would come to."""
)
@with_agents
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@with_settings
def config(urls: tuple[str, ...], as_json: bool, **flags: str | None) -> None:
    """Print the settings in effect, and where each stands."""
    found = read(given(flags), os.environ, Path.cwd(), Asked(urls))
    settings, agents = _settings(found), _agents(found)
    if as_json:
        click.echo(json.dumps({"settings": settings, "agents": agents}, indent=2))
        return
    rows = [(name, told["value"], told["from"]) for name, told in settings.items()]
    rows.append(("", "", ""))
    for name, told in agents.items():
        secrets = ", ".join(told["credentials"])
        url = f"{told['url']} (with {secrets})" if secrets else told["url"]
        rows.append((f"agents.{name}", url, told["from"]))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for row in rows:
        line = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}"
        click.echo(line.rstrip())


def _settings(found: Config) -> dict[str, dict[str, str]]:
    told = ((setting.name, found.stated[setting.name]) for setting in SETTINGS)
    return {name: {"value": text, "from": where} for name, (text, where) in told}


def _agents(found: Config) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "url": agent.url,
            "credentials": agent.credentials.names(),
            "from": found.stated[f"agents.{name}"].where,
        }
        for name, agent in found.agents.items()
    }
