"""Tests which spellings of the Host header the guard accepts.

A lenient parser finds an accepted name in the header of a foreign page (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from host.api.guard import Guard
from host.config.access_rules import AccessRules
from tests.support.guarded_app import LOCKED, OPEN, TOKEN, ask, bearer

NAMES = ("localhost", "127.0.0.1", "[::1]", "courtside.example")
RULES = AccessRules(token=TOKEN, allowed_hosts=("courtside.example",))
PORTS = st.integers(0, 65535).map(lambda port: f":{port}") | st.just("")
# The characters that parsers of URLs treat differently, and some others.
ODD = st.text(st.sampled_from("[]:@/?#%\\ ,;.\t1ae\x00\x7f\xe9-"), min_size=1)


def is_accepted(authority: str, host: str = "127.0.0.1") -> bool:
    return Guard(host, 8000, RULES).knows_host(authority)


@given(st.sampled_from(NAMES), PORTS)
def test_accepted_name_with_any_port_is_accepted(name: str, port: str) -> None:
    assert is_accepted(name + port)
    assert is_accepted(name.upper() + port)


@given(st.sampled_from(NAMES), ODD, PORTS)
def test_text_after_an_accepted_name_is_refused(name: str, odd: str, port: str) -> None:
    is_port = odd[0] == ":" and odd[1:].isdigit() and odd.isascii()
    if not (is_port and not port):
        assert not is_accepted(name + odd + port)


@given(st.sampled_from(NAMES), ODD, PORTS)
def test_text_before_an_accepted_name_is_refused(
    name: str, odd: str, port: str
) -> None:
    assert not is_accepted(odd + name + port)


@given(st.text(max_size=60))
def test_any_other_text_is_refused_without_an_error(text: str) -> None:
    if text.partition(":")[0].lower() not in NAMES and not text.startswith("[::1]"):
        assert not is_accepted(text)


@given(st.ip_addresses(), PORTS)
def test_exposed_host_accepts_each_address(address: object, port: str) -> None:
    is_v6 = isinstance(address, IPv6Address)
    text = f"[{address}]" if is_v6 else str(address)

    assert is_accepted(text + port, host="0.0.0.0")
    assert not is_accepted(f"{text}.evil.example{port}", host="0.0.0.0")
    if is_v6:
        assert not is_accepted(f"{address}{port}", host="::")


@pytest.mark.parametrize(
    "authority",
    [
        "[::1].evil.example",
        "[::1]evil.example:8000",
        "[::1]@evil.example",
        "evil.example@[::1]",
        "localhost:80:80",
        "localhost:port",
        "localhost:",
        "localhost/",
        "localhost.evil.example",
        "[127.0.0.1]",
        "[localhost]",
        "[::1%25lo]",
        "127.1",
        "0x7f000001",
        "loc\xe1lhost",
    ],
)
async def test_malformed_host_is_refused(authority: str) -> None:
    answer = await ask(Guard("127.0.0.1", 8000, OPEN), host=authority)

    assert answer.status_code == 400
    assert "is not a name of this host" in answer.text


async def test_long_form_of_an_accepted_address_is_accepted() -> None:
    answer = await ask(Guard("127.0.0.1", 8000, OPEN), host="[0:0:0:0:0:0:0:1]:8000")

    assert answer.status_code == 200


async def test_each_exposed_address_needs_the_token() -> None:
    guard = Guard("::", 8000, LOCKED)

    for authority in ("[2001:db8::1]:8000", "[::ffff:192.0.2.1]", "192.0.2.1"):
        assert (await ask(guard, host=authority)).status_code == 401
        answer = await ask(guard, host=authority, authorization=bearer(TOKEN))
        assert answer.status_code == 200


async def test_two_host_headers_are_refused() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"host", b"localhost"), (b"host", b"localhost")],
    }

    refusal = Guard("127.0.0.1", 8000, OPEN).check_request(scope, PlainTextResponse())

    assert isinstance(refusal, PlainTextResponse)
    assert refusal.status_code == 400
