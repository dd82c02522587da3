"""Owns the command line: its commands, and how a failure of one of them is told.

Each command is a module of its own. `courtside` without a command is `courtside serve`.
"""

from __future__ import annotations

import sys

import click

from host.cli.serve import serve
from host.errors import CourtsideError


class _Commands(click.Group):
    """`serve` is meant where no other command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in HELP):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


HELP = ("--help", "-h", "--version")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="courtside")
def courtside() -> None:
    """Shows every A2A agent you run, live, in one feed."""


courtside.add_command(serve)


def main() -> None:
    """Exits with 0 when all went well, 1 and one line when it could not be done, 2 for
    words that no command takes."""
    try:
        courtside(prog_name="courtside")
    except CourtsideError as error:
        sys.exit(f"courtside: {error}")
