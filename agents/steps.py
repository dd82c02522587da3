"""Defines an agent: its skills, and the steps that a skill's script yields.

The agents in stubs/ are written with these classes; executor.py plays their scripts.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """The task is `percent` (0-100) done. Lasts `beats` times the step time."""

    percent: int
    message: str = ""
    beats: float = 1.0


@dataclass(frozen=True)
class Say:
    """A message; the percentage stays the same."""

    message: str
    beats: float = 1.0


@dataclass(frozen=True)
class Ask:
    """Wait for a person: `answer = yield Ask("Send?", ("Send", "Don't send"))`."""

    question: str
    choices: tuple[str, ...] = ()

    def match_choice(self, reply: str) -> str:
        """Return the choice that the reply names, or the reply itself."""
        normal = _normalize(reply)
        return next((c for c in self.choices if _normalize(c) == normal), reply)


@dataclass(frozen=True)
class NeedAuth(Ask):
    """Wait for a person's permission. The answer arrives as for an Ask."""


@dataclass(frozen=True)
class Parallel:
    """Play several branches at the same time. The keys name their progress trackers.

    The task's percentage moves from its current value to `until`. A branch that fails
    does not stop the others. A later Parallel may run a branch of that name again.
    """

    branches: Mapping[str, "Branch"]
    until: int = 90


@dataclass(frozen=True)
class File:
    """The content of a file part."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Deliver:
    """One artifact. The text of the last one is also the task's final message."""

    text: str = ""
    name: str = "result"
    data: Mapping[str, Any] | None = None
    file: File | None = None


@dataclass(frozen=True)
class Chunk:
    """The next piece of the artifact `name`. `last=True` completes it."""

    name: str
    text: str = ""
    data: Mapping[str, Any] | None = None
    last: bool = False
    beats: float = 0.5


@dataclass(frozen=True)
class Fail:
    """End the task as failed. The reason tells a person what to do."""

    reason: str


@dataclass(frozen=True)
class Reject:
    """End the task as rejected. The reason tells a person what to do."""

    reason: str


@dataclass(frozen=True)
class Reply:
    """Answer with a message instead of a task. Must be the script's only step."""

    text: str


Step = Progress | Say | Ask | Parallel | Deliver | Chunk | Fail | Reject | Reply
# A script yields steps. Each Ask returns the answer; the other steps return "".
Script = AsyncGenerator[Step, str]
# One of the scripts of a Parallel. A Fail ends the branch, not the task.
Branch = AsyncGenerator[Progress | Say | Fail, None]


@dataclass(frozen=True)
class Request:
    """The text of the message that started the task."""

    text: str


@dataclass(frozen=True)
class Skill:
    """One thing that an agent can do. A message with words from `tags` selects it."""

    id: str
    name: str
    description: str
    script: Callable[[Request], Script]
    examples: tuple[str, ...]
    tags: tuple[str, ...]


class UnknownSkillError(LookupError):
    """The message asks for a skill that this agent does not have."""


@dataclass(frozen=True)
class AgentSpec:
    """An agent as its card describes it. The first skill is the default.

    `port` is the default port; 0 means the first port after those of the stubs.
    """

    name: str
    title: str
    description: str
    skills: tuple[Skill, ...]
    port: int = 0

    def choose_skill(self, text: str, skill_id: str | None = None) -> Skill:
        """Return the skill `skill_id`, or the one with the most tags in `text`.

        Raises UnknownSkillError.
        """
        if skill_id is not None:
            for skill in self.skills:
                if skill.id == skill_id:
                    return skill
            known = ", ".join(skill.id for skill in self.skills)
            raise UnknownSkillError(
                f"{self.name} has no skill {skill_id!r}; it has {known}"
            )
        words = set(re.findall(r"\w+", text.casefold()))
        return max(self.skills, key=lambda skill: len(words.intersection(skill.tags)))


def _normalize(text: str) -> str:
    """Ignore case, typographic apostrophes and final punctuation."""
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip(" .!").casefold()
