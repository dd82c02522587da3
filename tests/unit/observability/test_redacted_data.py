"""Tests of Secrets in host/observability/redaction.py: no encoding of a secret stays in
the data of an agent, and everything else stays as it is."""

from __future__ import annotations

import base64
import html
import json
import time
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.observability.redaction import MAX_DECODED, REPLACEMENT, Secrets

SECRET = "hunter2/é&hunter2"
PRINTABLE = st.characters(exclude_categories=["C", "Z"])
secrets = st.text(PRINTABLE, min_size=6, max_size=40).filter(
    lambda text: text not in REPLACEMENT
)
around = st.text(PRINTABLE, max_size=20)


def redacted(data: bytes, secret: str = SECRET) -> bytes:
    return Secrets([secret]).redact_data(data)


@st.composite
def partly_escaped(draw: st.DrawFn, secret: str, style: str) -> str:
    """Return the secret with some of its characters escaped, in a URL or in JSON."""
    letters = []
    for letter in secret:
        if letter in '"\\%' or draw(st.booleans()):
            units = letter.encode("utf-16-be").hex()
            in_json = "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
            in_url = "".join(f"%{byte:02x}" for byte in letter.encode())
            letter = in_json if style == "json" else in_url
            letter = (
                letter.upper().replace("\\U", "\\u") if draw(st.booleans()) else letter
            )
        letters.append(letter)
    return "".join(letters)


@given(st.data(), secrets, around, around)
def test_secret_with_any_characters_escaped_in_json_is_redacted(
    data: st.DataObject, secret: str, before: str, after: str
) -> None:
    escaped = data.draw(partly_escaped(secret, "json"))
    parts = (json.dumps(before)[:-1], escaped, json.dumps(after)[1:])

    result = redacted("".join(parts).encode(), secret)

    assert secret not in json.loads(result)


@given(st.data(), secrets)
def test_secret_with_any_characters_escaped_in_a_url_is_redacted(
    data: st.DataObject, secret: str
) -> None:
    url = f"http://a.test/?key={data.draw(partly_escaped(secret, 'url'))}&b=1"

    result = redacted(json.dumps({"url": url}).encode(), secret)

    assert REPLACEMENT in json.loads(result)["url"]


@given(secrets, st.binary(max_size=20), st.binary(max_size=20), st.booleans())
def test_secret_inside_base64_is_redacted(
    secret: str, before: bytes, after: bytes, is_for_urls: bool
) -> None:
    encode = base64.urlsafe_b64encode if is_for_urls else base64.b64encode
    text = encode(before + secret.encode() + after).decode()

    result = redacted(json.dumps([text]).encode(), secret)

    assert REPLACEMENT in json.loads(result)[0]


@pytest.mark.parametrize(
    "encoded",
    [
        quote(SECRET),
        quote_plus(SECRET),
        html.escape(SECRET),
        json.dumps(SECRET)[1:-1],
        SECRET.replace("/", "\\/"),
    ],
)
def test_encoded_secret_in_a_text_is_redacted(encoded: str) -> None:
    assert Secrets([SECRET]).redact(f"50% of {encoded}") == f"50% of {REPLACEMENT}"
    assert redacted(f"not JSON: {encoded}".encode()) == b"not JSON: [credential]"


@pytest.mark.parametrize("value", [{SECRET: 1}, [[SECRET]], {"a": [{"b": SECRET}]}])
def test_secret_is_redacted_anywhere_in_the_json(value: Any) -> None:
    for ascii_only in (True, False):
        data = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert json.loads(redacted(data)) == json.loads(
            json.dumps(value).replace(json.dumps(SECRET)[1:-1], REPLACEMENT)
        )


def test_secret_of_digits_is_redacted_as_a_number() -> None:
    data = b'{"pin": 12345678, "other": 1234567}'

    result = json.loads(redacted(data, "12345678"))

    assert result == {"pin": REPLACEMENT, "other": 1234567}


@given(st.binary(max_size=200))
def test_data_without_the_secret_stays_as_it_is(data: bytes) -> None:
    assert redacted(data, "hunter2-hunter2") is data


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_invalid_json_with_the_secret_is_redacted(before: bytes, after: bytes) -> None:
    result = redacted(before + b"hunter2-hunter2" + after, "hunter2-hunter2")

    assert b"hunter2-hunter2" not in result


@pytest.mark.parametrize("more", [0, 1])
def test_escapes_of_a_text_over_the_limit_are_not_decoded(more: int) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in b"hunter2-hunter2")
    text = escaped.ljust(MAX_DECODED + more)

    found = json.loads(redacted(json.dumps(text).encode(), "hunter2-hunter2"))

    assert found.startswith(escaped if more else REPLACEMENT)


def test_long_text_of_escapes_takes_little_time() -> None:
    """The host decodes the escapes of short texts only: one event may have 4 MiB."""
    text = "%41\\u0041" * (MAX_DECODED // 2)
    data = json.dumps({"text": text}).encode()
    begun_at = time.process_time()

    result = redacted(data, "hunter2-hunter2")

    assert result is data
    assert time.process_time() - begun_at < 1


@given(st.lists(secrets, max_size=4), st.lists(secrets, max_size=4))
def test_search_finds_every_secret_that_is_redacted(
    plain: list[str], words: list[str]
) -> None:
    """Data in which the search finds nothing is never changed."""
    kept = Secrets(plain)
    data = json.dumps([*words, *plain[:2]]).encode()

    result = kept.redact_data(data)

    if not kept.may_be_in(data):
        assert kept.redact(data.decode()) == data.decode()
    assert not any(one in str(json.loads(result)) for one in plain[:2])
