"""Escapes the characters that a terminal may obey."""

from __future__ import annotations

import json


def escape(text: str, keep: str = "") -> str:
    """Replace control characters (C0, C1), marks of text direction and other invisible
    characters by JSON escapes, except the characters in `keep`.

    In a string of JSON, they mean the same character.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else _escape_char(char)
        for char in text
    )


def _escape_char(char: str) -> str:
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
