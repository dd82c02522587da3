"""Owns the name that an agent gets where nobody gave it one: made of its URL.

The roster and the configuration ask it.
"""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import chain, count
from urllib.parse import urlsplit

# What stands at the end of many agents' URLs and names none of them.
COMMON = re.compile(
    r"a2a|agents?|agent-card|api|host|json-?rpc|rest|rpc|v\d+|well-known|www"
)
MAX_NAME = 32


def suggest_name(url: str, taken: Container[str]) -> str:
    """A name that the URL suggests and nobody has.

    The last word of its path that says something, else of its host, else its port:
    `travel` of https://agents.example.org/travel/a2a, `agent-8001` of 127.0.0.1:8001.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    words = [word.removesuffix(".json") for word in reversed(parts.path.split("/"))]
    if re.search("[a-z]", host) and ":" not in host and host != "localhost":
        words += host.split(".")[:-1] or [host]
    cleaned = map(_cleaned, words)
    telling = (word for word in cleaned if word and not COMMON.fullmatch(word))
    name = next(telling, f"agent-{parts.port}" if parts.port else "agent")
    numbered = (f"{name[: MAX_NAME - 4]}-{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if one not in taken)


def _cleaned(word: str) -> str:
    """As a name may be written: small letters, digits and dashes, a letter first."""
    dashed = re.sub(r"[^a-z0-9]+", "-", word.lower())
    return dashed.lstrip("-0123456789")[:MAX_NAME].rstrip("-")
