"""Checks and fills the message templates of steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from string import Formatter

REQUEST = "request"


def find_template_error(template: str, needs: Collection[str]) -> str | None:
    """Return why the template is wrong, as a sentence without its subject.

    The only allowed fields are {request} and the steps in `needs`.
    """
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        return f"is not a template: {error}; write a literal brace as {{{{ or }}}}"
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        base = name.replace("[", ".").split(".")[0]
        if form or conversion or base != name:
            field = f"{{{base[:100]}}}"
            return f"has an attribute, index or format at {field}: use {field} alone"
        if name != REQUEST and name not in needs:
            field = f"{{{name[:100]}}}"
            return f"has {field}, which is neither {{{REQUEST}}} nor a step in needs"
    return None


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Fill a checked template. Braces in the values are plain text."""
    return "".join(
        literal + ("" if name is None else values.get(name, ""))
        for literal, name, _, _ in Formatter().parse(template)
    )
