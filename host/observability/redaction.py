"""Replaces secrets in log lines and error texts.

Code that holds a secret registers it with `protect`. The log formatter calls `redact`,
and so does code that writes an agent's errors.
"""

from __future__ import annotations

from urllib.parse import quote, quote_plus
from weakref import WeakKeyDictionary

MIN_CHARS = 6  # A shorter secret would replace parts of ordinary words.
REPLACEMENT = "[credential]"

_by_owner: WeakKeyDictionary[object, frozenset[str]] = WeakKeyDictionary()
_longest_first: list[str] = []


def protect(owner: object, *secrets: str | None) -> None:
    """Redact `secrets`, also as part of a URL, in place of the owner's earlier ones.

    The secrets of an owner that no longer exists are forgotten with the next call.
    """
    known = [secret for secret in secrets if secret and len(secret) >= MIN_CHARS]
    _by_owner[owner] = frozenset(
        form
        for secret in known
        for form in (secret, quote(secret, ""), quote_plus(secret))
    )
    # Longest first, because one secret may contain another.
    _longest_first[:] = sorted(set().union(*_by_owner.values()), key=len, reverse=True)


def redact(text: str) -> str:
    for secret in _longest_first:
        text = text.replace(secret, REPLACEMENT)
    return text
