"""Suggests a name for an agent from its URL."""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import chain, count
from urllib.parse import urlsplit

# Words in the URLs of many agents. They do not identify an agent.
COMMON = re.compile(
    r"a2a|agents?|agent-card|api|host|json-?rpc|rest|rpc|v\d+|well-known|www"
)
MAX_NAME = 32


def suggest_name(url: str, taken: Container[str]) -> str:
    """Return a name that is not in `taken`.

    It is the last distinctive word of the path, else of the host, else the port:
    `travel` for https://agents.example.org/travel/a2a, `agent-8001` for 127.0.0.1:8001.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    words = [word.removesuffix(".json") for word in reversed(parts.path.split("/"))]
    if re.search("[a-z]", host) and ":" not in host and host != "localhost":
        words += host.split(".")[:-1] or [host]
    names = (_to_name(word) for word in words)
    distinctive = (name for name in names if name and not COMMON.fullmatch(name))
    base = next(distinctive, f"agent-{parts.port}" if parts.port else "agent")
    numbered = (f"{base[: MAX_NAME - 4]}-{number}" for number in count(2))
    return next(name for name in chain([base], numbered) if name not in taken)


def _to_name(word: str) -> str:
    """Keep lower-case letters, digits and dashes, from the first letter on."""
    dashed = re.sub(r"[^a-z0-9]+", "-", word.lower())
    return dashed.lstrip("-0123456789")[:MAX_NAME].rstrip("-")
