"""Tests which credentials a gRPC call has in its metadata.

host/clients/credentials.py.
"""

from __future__ import annotations

import pytest

from tests.support.agent_credentials import (
    EVERYTHING,
    SECRET,
    card_requiring_key,
    credentials_for,
)


@pytest.mark.parametrize(
    "target", ["c.test:443", "http://c.test:443", "https://c.test"]
)
async def test_metadata_has_the_credentials(target: str) -> None:
    credentials = credentials_for("http://c.test", **EVERYTHING)

    assert await credentials.metadata(target) == {
        "authorization": f"Bearer {SECRET}",
        "x-api-key": SECRET,
        "x-team": f"blue {SECRET}",
    }


@pytest.mark.parametrize("target", ["evil:443", "c.test.evil:443", "unix:/c.test"])
async def test_metadata_is_empty_for_another_host(target: str) -> None:
    credentials = credentials_for("http://c.test", **EVERYTHING)

    assert await credentials.metadata(target) == {}


async def test_metadata_is_empty_without_tls_if_the_url_is_https() -> None:
    credentials = credentials_for("https://c.test", **EVERYTHING)

    assert await credentials.metadata("c.test:50051") == {}
    assert await credentials.metadata("https://c.test:50051") != {}


@pytest.mark.parametrize(
    ("place", "metadata"),
    [("cookie", {"cookie": "Key=k"}), ("query", {"key": "k"})],
)
async def test_metadata_has_the_api_key_of_a_cookie_or_query(
    place: str, metadata: dict[str, str]
) -> None:
    card = card_requiring_key(place, "Key")
    credentials = credentials_for("http://c.test", card=card, api_key="k")

    assert await credentials.metadata("c.test:1") == metadata
