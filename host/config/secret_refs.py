"""Owns values that stand elsewhere: `env:NAME` is a variable's, `file:PATH` a file's.

Settings that are secrets are given so, to stay out of files and of `ps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError

VARIABLE, FILE = "env:", "file:"
TOKEN = "COURTSIDE_TOKEN"  # noqa: S105 - the variable's name


def is_elsewhere(text: str) -> bool:
    return text.startswith((VARIABLE, FILE))


def looked_up(text: str, environ: Mapping[str, str], folder: Path) -> str:
    """The value: `text` itself, or what it points to; a path begins at `folder`.

    Raises ConfigError as the end of a sentence that begins with where it stands.
    """
    if text.startswith(VARIABLE):
        variable = text.removeprefix(VARIABLE)
        if not environ.get(variable):
            raise ConfigError(
                f"is to be the variable {variable[:100]!r}, which is not set"
            )
        return environ[variable]
    if text.startswith(FILE):
        path = folder / text.removeprefix(FILE)
        try:
            return path.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ConfigError(
                f"is to stand in {str(path)[:200]!r}, which cannot be read: {why}"
            ) from None
    return text


def read_client_token(environ: Mapping[str, str], folder: Path) -> str:
    """For whoever asks a host: what COURTSIDE_TOKEN says, or where it points to.

    Raises ConfigError.
    """
    try:
        return looked_up(environ.get(TOKEN, ""), environ, folder)
    except ConfigError as error:
        raise ConfigError(f"{TOKEN} {error}") from None
