"""Owns the templates of messages: which fields they may have, and filling them.

The reader checks them at the start; a step fills its own when it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter

from ..errors import ConfigError

REQUEST = "request"


def check(template: str, needs: Collection[str]) -> None:
    """Raises ConfigError, a sentence without its subject, for anything in braces but
    {request} and the steps in `needs`."""
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(
            f"is no template: {error}; a brace itself is written {{{{ or }}}}"
        ) from None
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        if name == "" or name.isdecimal():
            raise ConfigError(
                f"has {{{name}}}, which names nothing: use {{{REQUEST}}} or a step "
                "in needs"
            )
        base = name.replace("[", ".").split(".")[0]
        if form or conversion or base != name:
            raise ConfigError(
                f"wants more of {{{base[:100]}}} than its text: use {{{base[:100]}}} "
                "alone"
            )
        if name != REQUEST and name not in needs:
            raise ConfigError(
                f"has {{{name[:100]}}}, which is neither {{{REQUEST}}} nor a step in "
                "needs"
            )


def fill(template: str, values: Mapping[str, str]) -> str:
    """A checked template with its values; what they hold is text, braces included."""
    return "".join(
        literal + ("" if name is None else values.get(name, ""))
        for literal, name, _, _ in Formatter().parse(template)
    )
