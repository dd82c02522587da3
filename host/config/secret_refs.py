"""Resolves references to secrets: `env:NAME` is a variable, `file:PATH` a file.

References keep secrets out of courtside.toml and out of `ps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError

VARIABLE, FILE = "env:", "file:"
TOKEN = "COURTSIDE_TOKEN"  # noqa: S105 - the variable's name


def is_reference(text: str) -> bool:
    return text.startswith((VARIABLE, FILE))


def resolve(text: str, environ: Mapping[str, str], folder: Path) -> str:
    """Return `text`, or the value that it refers to. `folder` is the base of paths.

    Raises ConfigError. Its text lacks the subject (the setting), which the caller adds.
    """
    if text.startswith(VARIABLE):
        variable = text.removeprefix(VARIABLE)
        if not environ.get(variable):
            raise ConfigError(f"refers to {variable[:100]!r}, which is not set")
        return environ[variable]
    if text.startswith(FILE):
        path = folder / text.removeprefix(FILE)
        try:
            return path.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigError(
                f"refers to {str(path)[:200]!r}, which cannot be read: {why}"
            ) from None
    return text


def read_client_token(environ: Mapping[str, str], folder: Path) -> str:
    """Return the token that a client of a host sends, or "". Raises ConfigError."""
    try:
        return resolve(environ.get(TOKEN, ""), environ, folder)
    except ConfigError as error:
        raise ConfigError(f"{TOKEN} {error}") from None
