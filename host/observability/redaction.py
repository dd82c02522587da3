"""Replaces secrets in log lines, error texts and the data of agents.

Code that holds a secret registers it with `protect`. The log formatter calls `redact`,
and so does code that writes an agent's errors. An agent's data is redacted with its own
secrets only: there is much of it, and it has few.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus
from weakref import WeakKeyDictionary

MIN_CHARS = 6  # A shorter secret would replace parts of ordinary words.
REPLACEMENT = "[credential]"
MAX_DECODED = 256 * 1024  # Decoding the escapes of a text takes 0.3 s for 4 MiB.

# encodeURIComponent and encodeURI of JavaScript leave these as they are.
URL_SAFE = ("", "/", "!'()*", "!'()*;,/?:@&=+$#")
PERCENT_ESCAPE = re.compile(r"%[0-9A-F]{2}")
SPACES = re.compile(r"(\s+)")
JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
# Escapes in a URL and in JSON, of any character and of ASCII. With one of these, a
# search for the secret is not enough.
ESCAPED = (re.compile(rb"%[0-9A-Fa-f]"), re.compile(rb"\\u"))
ESCAPED_ASCII = (re.compile(rb"%[2-7][0-9A-Fa-f]"), re.compile(rb"\\u00[2-7]"))
# How a text shows that a decoder may find more in it.
Decoder = tuple[str, Callable[[str], str]]
JsonDecoder = Callable[[bytes], Any]


class Secrets:
    """Some secrets in all forms. False if there are none that can be redacted."""

    def __init__(self, plain: Iterable[str] = ()) -> None:
        self.plain = {secret for secret in plain if len(secret) >= MIN_CHARS}
        forms = {form for secret in self.plain for form in _forms(secret)}
        # Longest first, because one secret may contain another.
        self._forms = sorted(forms, key=len, reverse=True)
        self._needles = _shortest({n for form in forms for n in _in_json(form)})
        self._is_ascii = all(secret.isascii() for secret in self.plain)

    def __bool__(self) -> bool:
        return bool(self.plain)

    def may_be_in(self, data: bytes) -> bool:
        """Return False if there is no secret in `data`, which may be JSON."""
        for needle in self._needles:
            if needle in data:
                return True
        in_url, in_json = ESCAPED_ASCII if self._is_ascii else ESCAPED
        has_url_escape = b"%" in data and in_url.search(data)
        return bool(has_url_escape or (b"\\u" in data and in_json.search(data)))

    def redact(self, text: str) -> str:
        text = self._replace(text)
        if not self or len(text) > MAX_DECODED:
            return text
        for mark, decode in DECODERS:
            if mark in text and self._is_in(decode(text)):
                # Decode as little as possible: a text may have several encodings.
                words = [self._decode(word, decode) for word in SPACES.split(text)]
                text = self._decode("".join(words), decode)
        return text

    def redact_data(self, data: bytes, load: JsonDecoder = json.loads) -> bytes:
        """Redact JSON or a text. Returns `data` itself if it contains no secret.

        `load` decodes JSON, and raises ValueError if it cannot.
        """
        if not self or not self.may_be_in(data):
            return data
        try:
            value = load(data)
            redacted = self.redact_value(value)
            return data if redacted == value else json.dumps(redacted).encode()
        except (ValueError, RecursionError):
            pass
        text = data.decode("utf-8", "surrogateescape")
        return self.redact(text).encode("utf-8", "surrogateescape")

    def redact_value(self, value: Any) -> Any:
        """Redact the texts and numbers of a JSON value, and the names in it."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(k): self.redact_value(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.redact_value(item) for item in value]
        if isinstance(value, int | float) and self._is_in(str(value)):
            return REPLACEMENT
        return value

    def _decode(self, text: str, decode: Callable[[str], str]) -> str:
        """Return a text as it is, or decoded and redacted if it has a secret then."""
        decoded = decode(text)
        return self._replace(decoded) if self._is_in(decoded) else text

    def _replace(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, REPLACEMENT)
        return text

    def _is_in(self, text: str) -> bool:
        return any(secret in text for secret in self.plain)


def protect(owner: object, *secrets: str | None) -> Secrets:
    """Redact `secrets` in all texts, in place of the owner's earlier ones.

    The secrets of an owner that no longer exists are forgotten with the next call.
    """
    own = _by_owner[owner] = Secrets(filter(None, secrets))
    global _all
    _all = Secrets(set().union(*(one.plain for one in _by_owner.values())))
    return own


def redact(text: str) -> str:
    """Redact the secrets of all owners."""
    return _all.redact(text)


def redact_value(value: Any) -> Any:
    """Redact the secrets of all owners in a JSON value."""
    return _all.redact_value(value)


def _forms(secret: str) -> Iterator[str]:
    """Yield the secret as it is, in JSON, in HTML, in a URL, and in Base64."""
    yield secret
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield html.escape(secret)
    for safe in URL_SAFE:
        yield from _in_both_cases(quote(secret, safe))
    yield from _in_both_cases(quote_plus(secret))
    data = secret.encode("utf-8", "surrogateescape")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data).decode()
        yield from (whole, whole.rstrip("="))
        # In a longer text, as user:password, the secret begins at any of three places.
        for offset in range(3):
            part = encode(bytes(offset) + data).decode()
            before = (0, 2, 3)[offset]
            after = (0, 3, 2)[(offset + len(data)) % 3]
            yield part[before : len(part) - after]


def _in_both_cases(url_encoded: str) -> tuple[str, str]:
    lower = PERCENT_ESCAPE.sub(lambda match: match[0].lower(), url_encoded)
    return url_encoded, lower


def _in_json(form: str) -> Iterator[bytes]:
    """Yield a form as encoders of JSON write it."""
    for ensure_ascii in (False, True):
        text = json.dumps(form, ensure_ascii=ensure_ascii)[1:-1]
        for variant in (text, text.replace("/", "\\/")):
            yield variant.encode("utf-8", "surrogateescape")


def _shortest(needles: set[bytes]) -> list[bytes]:
    """Return those that contain no other one: if these are absent, all are."""
    found: list[bytes] = []
    for needle in sorted(needles, key=len):
        if not any(short in needle for short in found):
            found.append(needle)
    return found


def _unescape_json(text: str) -> str:
    return JSON_ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else match[2], text
    )


DECODERS: tuple[Decoder, ...] = (
    ("%", unquote),
    ("+", unquote_plus),
    ("%", unquote_plus),
    ("\\", _unescape_json),
)
_by_owner: WeakKeyDictionary[object, Secrets] = WeakKeyDictionary()
_all = Secrets()
