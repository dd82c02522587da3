"""Owns which plan a request means.

The orchestrator asks it first; the card of the host shows what it goes by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import fsum

from ..errors import CourtsideError
from .plan import Plan


class UnknownPlan(CourtsideError):
    """There is no plan of that key, or none at all."""


def choose(plans: Mapping[str, Plan], text: str, skill_id: str | None = None) -> Plan:
    """The plan named by `skill_id`, else the one that `text` is most like, else the
    first.

    Like a plan are the words of its key, name and examples, most of all an example as
    it stands. A word counts by its length, for short ones tell little, and with n
    plans that have it the n²th part of that. Raises UnknownPlan.
    """
    if not plans:
        raise UnknownPlan("this host has no plans: add one to courtside.toml")
    if skill_id is not None:
        if skill_id not in plans:
            raise UnknownPlan(
                f"this host has no plan {skill_id[:100]!r}: there are "
                f"{', '.join(plans)}"
            )
        return plans[skill_id]
    asked = _words(text)
    known = {key: _words_of(plan) for key, plan in plans.items()}
    shared = Counter(word for words in known.values() for word in words)

    def likeness(plan: Plan) -> tuple[bool, float]:
        said = text.strip().casefold()
        return (
            said in (example.strip().casefold() for example in plan.examples),
            fsum(len(w) / shared[w] ** 2 for w in asked & known[plan.key]),
        )

    return max(plans.values(), key=likeness)


def _words_of(plan: Plan) -> set[str]:
    return _words(" ".join((plan.key.replace("_", " "), plan.name, *plan.examples)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
