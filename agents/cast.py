"""Owns who can be started: the four, or the character in a file of one's own.

settings.py asks for whoever the command line names.
"""

import runpy
from pathlib import Path

from agents.carly import CARLY
from agents.logan import LOGAN
from agents.nancy import NANCY
from agents.steps import Character
from agents.walter import WALTER

CAST = {character.name: character for character in (CARLY, WALTER, LOGAN, NANCY)}
FIRST_PORT = 8001


def find(name: str) -> Character:
    """One of the four, or the one in the file `name`, which ends in .py.

    Raises ValueError, for a person, and whatever the file itself raises.
    """
    if name.endswith(".py"):
        return _in_file(Path(name))
    if name not in CAST:
        names = ", ".join(CAST)
        raise ValueError(
            f"there is no agent {name!r}; choose one of: {names}, "
            "or a file of your own that ends in .py"
        )
    return CAST[name]


def default_port(character: Character) -> int:
    """8001 to 8004 for the four, the next for anybody else."""
    return FIRST_PORT + [*CAST.values(), character].index(character)


def _in_file(path: Path) -> Character:
    if not path.is_file():
        raise ValueError(f"there is no file {path} in {Path.cwd()}")
    values = runpy.run_path(str(path)).values()
    found = [value for value in values if isinstance(value, Character)]
    if len(found) != 1:
        raise ValueError(
            f"{path} must have one agent, as in agents/carly.py: "
            f"NAME = Character(…); it has {len(found)}"
        )
    return found[0]
