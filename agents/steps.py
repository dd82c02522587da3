"""Owns the words a character is written in: steps, skills, the character itself.

The scripts (carly, walter, logan, nancy) yield steps; executor.py plays them as A2A.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """The work is `percent` (0-100) done. Lasts `beats` times the step time."""

    percent: int
    message: str = ""
    beats: float = 1.0


@dataclass(frozen=True)
class Say:
    """Something worth telling; the percentage stays as it was."""

    message: str
    beats: float = 1.0


@dataclass(frozen=True)
class Ask:
    """Wait for a person: `answer = yield Ask("Send?", ("Send", "Don't send"))`."""

    question: str
    choices: tuple[str, ...] = ()

    def hear(self, reply: str) -> str:
        """The choice that `reply` means, in the script's spelling, or the reply."""
        said = _plain(reply)
        return next((c for c in self.choices if _plain(c) == said), reply)


@dataclass(frozen=True)
class NeedAuth(Ask):
    """Wait for somebody who may allow it; answered like any Ask."""


@dataclass(frozen=True)
class Together:
    """Play several strands at the same time, each with a tracker of its own.

    The keys name the trackers. While they move, the task's own percentage goes from
    where it stands to `until`. A strand that fails ends alone: the rest plays on, and
    a later Together may give its name another try.
    """

    strands: Mapping[str, "Strand"]
    until: int = 90


@dataclass(frozen=True)
class File:
    """The content of a file part."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Deliver:
    """One artifact. The text of the last one is also the task's closing message."""

    text: str = ""
    name: str = "result"
    data: Mapping[str, Any] | None = None
    file: File | None = None


@dataclass(frozen=True)
class Chunk:
    """The next piece of the artifact `name`: the first opens it, `last` closes it."""

    name: str
    text: str = ""
    data: Mapping[str, Any] | None = None
    last: bool = False
    beats: float = 0.5


@dataclass(frozen=True)
class Fail:
    """Give up, with a reason a person can act on. Nothing is played after it."""

    reason: str


@dataclass(frozen=True)
class Reject:
    """Refuse to begin, with a reason a person can act on. Nothing is played after."""

    reason: str


@dataclass(frozen=True)
class Reply:
    """Answer with a plain message and make no task: a script's first and only step."""

    text: str


Step = Progress | Say | Ask | Together | Deliver | Chunk | Fail | Reject | Reply
# What a script is: it yields steps and is sent the answer to each Ask ("" otherwise).
Work = AsyncGenerator[Step, str]
# One of the scripts that Together plays; a Fail in it is a tracker's, not the task's.
Strand = AsyncGenerator[Progress | Say | Fail, None]


@dataclass(frozen=True)
class Request:
    """What somebody asked for: the text of their message."""

    text: str


@dataclass(frozen=True)
class Skill:
    """One thing a character can do. `tags` are also the words that ask for it."""

    id: str
    name: str
    description: str
    work: Callable[[Request], Work]
    examples: tuple[str, ...]
    tags: tuple[str, ...]


class UnknownSkill(LookupError):
    """The message names a skill that this character does not have."""


@dataclass(frozen=True)
class Character:
    """An agent as its card shows it. The first skill is the default one."""

    name: str
    title: str
    description: str
    skills: tuple[Skill, ...]

    def choose(self, text: str, skill_id: str | None = None) -> Skill:
        """The skill named, or the one most of whose tags are words of `text`.

        Raises UnknownSkill for a name that is not one of `skills`.
        """
        if skill_id is not None:
            for skill in self.skills:
                if skill.id == skill_id:
                    return skill
            known = ", ".join(skill.id for skill in self.skills)
            raise UnknownSkill(f"{self.name} has no skill {skill_id!r}; it has {known}")
        words = set(re.findall(r"\w+", text.casefold()))
        return max(self.skills, key=lambda skill: len(words.intersection(skill.tags)))


def _plain(text: str) -> str:
    """`text` as people mean it: case, typographic apostrophes and ends ignored."""
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip(" .!").casefold()
