"""The `courtside` command: chooses the subcommand, and prints its errors.

A subcommand's module is imported only when it is used, because importing the host takes
half a second. Without a subcommand, `courtside` is `courtside serve`.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from ..errors import CourtsideError
from ..observability.printable import escape

COMMANDS = {
    "serve": "Start the host and its page (the default command).",
    "tail": "Print the feed of a running host.",
    "export": "Save the feed of a running host as NDJSON.",
    "import": "Import a recording into a log.",
    "replay": "Replay a recording in the page.",
    "repair": "Write a repaired copy of a damaged log.",
    "config": "Print the effective settings and where each comes from.",
    "completion": "Print a shell completion script.",
}
MODULES = {"import": "import_log"}  # `import` is a Python keyword.
HELP = ("--help", "-h", "--version")
EPILOG = """\b
Examples:
  courtside --demo --open               four demo agents, and the page
  courtside http://localhost:9000       the page for your own agent
  courtside tail --agent carly          one agent's updates, in the terminal
  courtside tail --json | jq .status    the same for a program
  courtside export > run.ndjson         save everything so far
  courtside replay run.ndjson --open    replay it

Each command has its own --help. Exit codes: 0 = success, or interrupted; 1 = error (one
line on stderr gives the reason); 2 = invalid command line."""


class _Commands(click.Group):
    """Runs `serve` if the first word is not a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # While a shell completes the first word, it needs the commands as well.
        is_empty = not args and not ctx.resilient_parsing
        if is_empty or (args and args[0] not in COMMANDS and args[0] not in HELP):
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
    """Shows every A2A agent you run, live, in one feed.

    Without a command, courtside starts the host and its page. The host follows the
    agents of courtside.toml and the agents whose URLs you give. With --demo, it also
    starts and follows four demo agents.
    """


def main() -> None:
    """Run the command line. See EPILOG for the exit codes."""
    try:
        courtside(prog_name="courtside")
    except CourtsideError as error:
        for handler in logging.getLogger().handlers:
            handler.flush()  # The error is the last line.
        # A host or a file may have chosen parts of the text.
        sys.exit(escape(f"courtside: {error}", keep="\n"))
