"""Blanks out trailing commas in JSON text, as in `{"a": [1, 2,],}`."""

from __future__ import annotations

import re

# Each alternative is left as it is, except the last. Strings come first, also without
# their end, so that no comma in a text is changed and no text is read twice.
TOKENS = re.compile(
    r"""
    "(?:[^"\\]+|\\.?)*"?
    | [{[][ \t\n\r]*,
    | ,(?P<trailing>(?=[ \t\n\r]*[]}]))
    """,
    re.VERBOSE | re.DOTALL,
)


def blank_trailing_commas(text: str) -> str:
    """Replace each comma after a last item or member by a space. Changes no string,
    and no position.

    `[,]` and `[1,,]` stay as they are: they lack an item.
    """
    return TOKENS.sub(_keep_unless_trailing, text)


def _keep_unless_trailing(token: re.Match[str]) -> str:
    return token[0] if token["trailing"] is None else " "
