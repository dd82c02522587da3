"""Owns `courtside completion`: what a shell needs to complete the command line.

The script is click's; it asks `courtside` itself each time.
"""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
VARIABLE = "_COURTSIDE_COMPLETE"


@click.command(
    epilog="""\b
Examples:
  courtside completion bash >> ~/.bashrc
  courtside completion zsh >> ~/.zshrc
  courtside completion fish > ~/.config/fish/completions/courtside.fish"""
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands and options."""
    made = SHELLS[shell](context.find_root().command, {}, "courtside", VARIABLE)
    click.echo(made.source())
