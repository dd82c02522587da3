"""Tests that requests are parsed or refused, and that lost clients end their work."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest
from a2a.utils.errors import InvalidParamsError, VersionNotSupportedError
from starlette.requests import Request
from starlette.types import Message

from host.api.responses import HostStopping
from host.gateway.requests import (
    ClientGone,
    check_version,
    extension_headers,
    find_public_url,
    parse_last_event_id,
    run_until_disconnect,
)
from host.protocol.a2a_objects import RESUMABLE


class Client:
    """An ASGI client that can disconnect."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()

    async def receive(self) -> Message:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}


def request(client: Client | None = None, query: str = "", **headers: str) -> Request:
    fields = {"host": "localhost:8000"} | headers
    return Request(
        {
            **{"type": "http", "method": "GET", "scheme": "http", "path": "/a2a/x"},
            **{"query_string": query.encode(), "root_path": ""},
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in fields.items()
            ],
        },
        (client or Client()).receive,
    )


class TestWork:
    async def test_returns_its_result(self) -> None:
        async def work() -> int:
            await anyio.lowlevel.checkpoint()
            return 7

        assert await run_until_disconnect(request(), asyncio.Event(), work) == 7

    async def test_raises_its_error(self) -> None:
        async def work() -> int:
            raise InvalidParamsError("no")

        with pytest.raises(InvalidParamsError):
            await run_until_disconnect(request(), asyncio.Event(), work)

    @pytest.mark.parametrize("why", [ClientGone, HostStopping])
    async def test_is_cancelled_when_the_client_or_the_host_goes_away(
        self, why: type[Exception]
    ) -> None:
        client, ending = Client(), asyncio.Event()
        cancelled: list[bool] = []

        async def work() -> int:
            (client.hung_up if why is ClientGone else ending).set()
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.append(True)
            return 0

        with pytest.raises(why), anyio.fail_after(30):
            await run_until_disconnect(request(client), ending, work)
        assert cancelled == [True]


@pytest.mark.parametrize("version", ["", "1.0", "1", "1.0.3", "1.1"])
def test_every_version_1_is_accepted(version: str) -> None:
    check_version(request(a2a_version=version))
    check_version(request(query=f"A2A-Version={version}"))


@pytest.mark.parametrize("version", ["0.3", "10", "2.0", "one", "1.0-rc"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(VersionNotSupportedError, match=r"send A2A-Version: 1\.0"):
        check_version(request(a2a_version=version))


def test_response_names_the_extension_if_the_client_asks_for_it() -> None:
    assert extension_headers(request(a2a_extensions=f"x, {RESUMABLE}"))
    assert not extension_headers(request(a2a_extensions="x"))
    assert not extension_headers(request())


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("17", 17), ("", None)])
def test_last_event_id_is_parsed(text: str, number: int | None) -> None:
    assert parse_last_event_id(text) == number


@pytest.mark.parametrize("text", ["x", "1.0", "-1", "0ld-17", "9" * 16])
def test_invalid_last_event_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidParamsError, match="is not an update's number"):
        parse_last_event_id(text)


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, "http://localhost:8000"),
        ({"x_forwarded_proto": "https"}, "https://localhost:8000"),
        ({"x_forwarded_prefix": "/team/"}, "http://localhost:8000/team"),
        ({"x_forwarded_host": "a.example:1"}, "http://a.example:1"),
        ({"x_forwarded_host": "a.example/<b>"}, "http://localhost:8000"),
        ({"x_forwarded_proto": "javascript"}, "http://localhost:8000"),
    ],
)
def test_public_url_follows_valid_forwarded_headers(
    headers: dict[str, str], base: str
) -> None:
    assert find_public_url(request(None, "", **headers)) == base
