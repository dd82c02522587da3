"""`courtside config`: prints the effective settings. It never prints a secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from ..config.load import CommandLineAgents, read
from ..config.settings import SETTINGS
from .options import agent_urls, drop_unset, settings_flags


@click.command(
    epilog="""\b
Examples:
  courtside config
  COURTSIDE_PORT=9000 courtside config http://localhost:9001
  courtside config --json | jq -r .settings.port.value

Accepts the same arguments and options as `courtside serve`."""
)
@agent_urls
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@settings_flags
def config(urls: tuple[str, ...], as_json: bool, **flags: str | None) -> None:
    """Print the effective settings and where each comes from."""
    found = read(drop_unset(flags), os.environ, Path.cwd(), CommandLineAgents(urls))
    if as_json:
        settings = {
            setting.name: dict(
                zip(("value", "from"), found.sources[setting.name], strict=True)
            )
            for setting in SETTINGS
        }
        agents = {
            name: {
                "url": agent.url,
                "credentials": agent.credentials.names(),
                "from": found.sources[f"agents.{name}"].where,
            }
            for name, agent in found.agents.items()
        }
        click.echo(json.dumps({"settings": settings, "agents": agents}, indent=2))
        return
    rows = [(setting.name, *found.sources[setting.name]) for setting in SETTINGS]
    rows.append(("", "", ""))
    for name, agent in found.agents.items():
        names = ", ".join(agent.credentials.names())
        url = f"{agent.url} (with {names})" if names else agent.url
        rows.append((f"agents.{name}", url, found.sources[f"agents.{name}"].where))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, where in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {where}".rstrip())
