"""Chooses the plan for a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import fsum

from ..errors import CourtsideError
from .plan import Plan


class UnknownPlan(CourtsideError):
    """No plan has that key, or the host has no plans."""


def choose_plan(
    plans: Mapping[str, Plan], request: str, key: str | None = None
) -> Plan:
    """Return the plan with that key, or else the plan most similar to the request.

    A plan with exactly this example comes first. After that, the words count that the
    request shares with the plan's key, name and examples: longer words count more, and
    words that several plans have count less. On a tie the first plan wins. Raises
    UnknownPlan.
    """
    if not plans:
        raise UnknownPlan("this host has no plans: add one to courtside.toml")
    if key is not None:
        if key not in plans:
            raise UnknownPlan(
                f"this host has no plan {key[:100]!r}: use one of {', '.join(plans)}"
            )
        return plans[key]
    text, words = request.strip().casefold(), _words(request)
    words_of = {plan.key: _words_of(plan) for plan in plans.values()}
    counts = Counter(word for known in words_of.values() for word in known)

    def similarity(plan: Plan) -> tuple[bool, float]:
        return (
            text in (example.strip().casefold() for example in plan.examples),
            fsum(len(w) / counts[w] ** 2 for w in words & words_of[plan.key]),
        )

    return max(plans.values(), key=similarity)


def _words_of(plan: Plan) -> set[str]:
    return _words(" ".join((plan.key.replace("_", " "), plan.name, *plan.examples)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
