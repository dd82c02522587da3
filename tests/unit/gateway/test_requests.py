"""What a request wishes for, and for how long anybody waits."""

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
    extensions,
    find_public_url,
    read_last_event_id,
    run_until_disconnect,
)
from host.protocol.a2a import RESUMABLE


class Client:
    """Hangs up when it is told."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()

    async def receive(self) -> Message:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}


def asked(client: Client | None = None, query: str = "", **headers: str) -> Request:
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
    async def test_that_somebody_waits_for_is_done(self) -> None:
        async def work() -> int:
            await anyio.lowlevel.checkpoint()
            return 7

        assert await run_until_disconnect(asked(), asyncio.Event(), work) == 7

    async def test_that_fails_fails_as_it_would_alone(self) -> None:
        async def work() -> int:
            raise InvalidParamsError("no")

        with pytest.raises(InvalidParamsError):
            await run_until_disconnect(asked(), asyncio.Event(), work)

    @pytest.mark.parametrize("why", [ClientGone, HostStopping])
    async def test_that_nobody_waits_for_any_longer_is_given_up(
        self, why: type[Exception]
    ) -> None:
        client, ending = Client(), asyncio.Event()
        given_up: list[bool] = []

        async def work() -> int:
            (client.hung_up if why is ClientGone else ending).set()
            try:
                await anyio.sleep_forever()
            finally:
                given_up.append(True)
            return 0

        with pytest.raises(why), anyio.fail_after(5):
            await run_until_disconnect(asked(client), ending, work)
        assert given_up == [True]


@pytest.mark.parametrize("version", ["", "1.0", "1", "1.0.3", "1.1"])
def test_every_1_is_spoken(version: str) -> None:
    check_version(asked(a2a_version=version))
    check_version(asked(query=f"A2A-Version={version}"))


@pytest.mark.parametrize("version", ["0.3", "10", "2.0", "one", "1.0-rc"])
def test_another_version_is_refused(version: str) -> None:
    with pytest.raises(VersionNotSupportedError, match=r"send A2A-Version: 1\.0"):
        check_version(asked(a2a_version=version))


def test_who_asks_for_the_extension_is_told_that_it_is_there() -> None:
    assert extensions(asked(a2a_extensions=f"x, {RESUMABLE}"))
    assert not extensions(asked(a2a_extensions="x"))
    assert not extensions(asked())


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("17", 17), ("", None)])
def test_a_number_is_read(text: str, number: int | None) -> None:
    assert read_last_event_id(asked(last_event_id=text)) == number


@pytest.mark.parametrize("text", ["x", "1.0", "-1", "0ld-17", "9" * 16])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidParamsError, match="is no update's number"):
        read_last_event_id(asked(last_event_id=text))


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
def test_the_host_is_where_a_proxy_says_or_else_the_request(
    headers: dict[str, str], base: str
) -> None:
    assert find_public_url(asked(None, "", **headers)) == base
