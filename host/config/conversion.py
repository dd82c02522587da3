"""Converts settings into typed structs, with errors that say what to write instead."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from ..errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)


class SettingError(ConfigError):
    """One setting is wrong. `why` completes the sentence that begins with `key`."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} {why}")
        self.key = key
        self.why = why


def convert(value: object, struct: type[T], secrets: Collection[str] = ()) -> T:
    """Raises SettingError. It shows the wrong value, except that of `secrets`.

    The key is empty if the value as a whole is wrong.
    """
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        message = str(error)
    # For example: Expected `int` >= 1 - at `$.port`. In a list: at `$.scopes[1]`.
    found = re.search(r" - at `(?:key` in `)?\$\.?(\w*)(?:\[(\d+)\])?[^`]*`\Z", message)
    key, index = found.groups() if found else ("", None)
    if unknown := re.match(r"Object contains unknown field `(.*)`", message, re.S):
        raise SettingError(unknown[1], unknown_key(struct.__struct_fields__))
    if missing := re.match(r"Object missing required field `(\w+)`", message):
        raise SettingError("", f"needs {missing[1]}: {_expected(struct, missing[1])}")
    if not key:
        raise SettingError("", "must be a table")
    why = f"must be {_expected(struct, key)}"
    if key not in secrets and isinstance(value, Mapping):
        wrong = value[key][int(index)] if index else value[key]
        why += f", not {repr(wrong)[:100]}"
    raise SettingError(key, why)


def unknown_key(known: Collection[str]) -> str:
    return f"is unknown: use {', '.join(known)}"


def _expected(struct: type, key: str) -> str:
    """Return the description of a field's type, or the words of its Literal."""
    hint: Any = get_type_hints(struct, include_extras=True)[key]
    # The type itself, or a member of a union such as `Name | None`.
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Literal:
            return " or ".join(get_args(part))
        for note in getattr(part, "__metadata__", ()):
            if isinstance(note, msgspec.Meta) and note.description:
                return note.description
    raise TypeError(f"{struct.__name__}.{key} has no description")
