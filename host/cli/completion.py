"""`courtside completion`: prints a shell completion script."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


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
    """Print a shell completion script."""
    command = context.find_root().command
    script = SHELLS[shell](command, {}, "courtside", "_COURTSIDE_COMPLETE")
    click.echo(script.source())
