"""Owns the command line: its commands, and how a failure of one of them is told.

Each command is a module of its own, imported when it is asked for: the host takes half
a second to import. `courtside` without a command is `courtside serve`.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from ..errors import CourtsideError

COMMANDS = {
    "serve": "Start the host and its page (what is done without a command).",
    "tail": "Print the feed of a host that runs.",
    "export": "Save the feed of a host as NDJSON.",
    "import": "Make a log of what was saved.",
    "replay": "Show what was saved on a page, as it happened.",
    "config": "Print the settings in effect, and where each stands.",
    "completion": "Print what lets a shell complete all this.",
}
MODULES = {"import": "import_log"}  # A module cannot be called so.
HELP = ("--help", "-h", "--version")
EPILOG = """\b
Examples:
  courtside --demo --open               four agents to play with, and the page
  courtside http://localhost:9000       the page of your own agent
  courtside tail --agent carly          its updates, here
  courtside tail --json | jq .status    the same for a program
  courtside export > run.ndjson         what has happened so far
  courtside replay run.ndjson --open    the same once more

Each command has a --help of its own. Exit codes: 0 it was done, or you ended it;
1 it could not be done, and a line says why; 2 the command line was not understood."""


class _Commands(click.Group):
    """`serve` is meant where no other command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # A shell that completes the first word gets the commands, too.
        is_bare = not args and not ctx.resilient_parsing
        if is_bare or (args and args[0] not in COMMANDS and args[0] not in HELP):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"{__package__}.{MODULES.get(name, name)}")
        command: click.Command = getattr(module, MODULES.get(name, name))
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        serve = self.get_command(ctx, "serve") if incomplete[:1] == "-" else None
        if serve:
            return serve.shell_complete(click.Context(serve), incomplete)
        return [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
    subcommand_metavar="[COMMAND | URL]... [OPTION]...",
)
@click.version_option(package_name="courtside")
def courtside() -> None:
    """Shows every A2A agent you run, live, in one feed that loses nothing.

    Without a command, the host and its page are started: on the agents of
    courtside.toml, on those whose URLs are given, and with --demo on four that come
    with it.
    """


def main() -> None:
    """Exits with 0 when all went well, 1 and one line when it could not be done, 2 for
    words that no command takes."""
    try:
        courtside(prog_name="courtside")
    except CourtsideError as error:
        sys.exit(f"courtside: {error}")
