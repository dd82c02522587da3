"""Bad requests get the right status and a helpful message, and disturb nothing else.

A real host with one real agent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.host_client import HostClient, host_at
from tests.support.stack import Stack

JSON = {"content-type": "application/json"}
SEND = "/a2a/carly/message:send"
MESSAGE = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), ["carly"], log="memory") as running:
        yield running


@pytest.fixture
async def host(stack: Stack) -> AsyncIterator[HostClient]:
    """Fail if bad input adds an event or logs a traceback."""
    async with host_at(stack.url) as client:
        before = await client.head()
        yield client
        assert await client.head() == before
        assert "Traceback" not in stack.host.output()


async def test_host_still_works_after_bad_requests(stack: Stack) -> None:
    async with host_at(stack.url) as client:
        for path in ("/feed?after=abc", "/a2a/bob/message:send", "/nowhere"):
            assert (await client.http.post(path)).status_code >= 400

        assert await client.row_with(await client.start("carly"), "completed")


class TestUnknownAgent:
    @pytest.mark.parametrize(
        "path",
        ["/a2a/bob/message:send", "/a2a/bob/tasks/t1:cancel", "/agents/bob:retry"],
    )
    async def test_is_404_and_lists_the_known_ones(
        self, host: HostClient, path: str
    ) -> None:
        answer = await host.http.post(path, json={"message": MESSAGE})

        error = answer.json()["error"]
        assert answer.status_code == error["code"] == 404
        assert error["status"] == "NOT_FOUND"
        assert error["message"] == "no agent 'bob' is followed here; there are: carly"
        assert error["details"][0]["reason"] == "UNKNOWN_AGENT"
        assert error["details"][0]["domain"] == "courtside"


class TestBody:
    async def test_over_the_limit_is_413_and_names_the_limit(
        self, host: HostClient
    ) -> None:
        message = {**MESSAGE, "parts": [{"text": "x" * 5_000_000}]}

        answer = await host.http.post(SEND, json={"message": message})

        assert answer.status_code == 413
        assert "4194304 bytes" in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"hello",
            b"{'message': 1}",
            b"\xff\xfe",
            b"[" * 15_000,
            b'{"a":' * 15_000,
        ],
        ids=["empty", "cut", "text", "quotes", "bytes", "deep list", "deep object"],
    )
    async def test_invalid_json_is_400(self, host: HostClient, body: bytes) -> None:
        answer = await host.http.post(SEND, content=body, headers=JSON)

        error = answer.json()["error"]
        assert answer.status_code == error["code"] == 400
        assert "the body is not JSON" in error["message"]

    @pytest.mark.parametrize("begin", [b"[", b'{"a":'], ids=["list", "object"])
    async def test_of_too_many_values_is_413_and_names_the_limit(
        self, host: HostClient, begin: bytes
    ) -> None:
        answer = await host.http.post(SEND, content=begin * 100_000, headers=JSON)

        error = answer.json()["error"]
        assert answer.status_code == error["code"] == 413
        assert "over 20000 JSON values" in error["message"]

    @pytest.mark.parametrize(
        "body",
        [
            None,
            3,
            True,
            "x",
            [],
            [1],
            {},
            {"message": {}},
            {"message": None},
            {"message": 7},
            {"massage": MESSAGE},
            {"message": MESSAGE | {"role": "BOSS"}},
            {"message": MESSAGE | {"parts": []}},
            {"message": MESSAGE | {"parts": "hello"}},
            {"message": MESSAGE | {"messageId": ""}},
            {"message": MESSAGE | {"messageId": 5}},
            {"message": MESSAGE | {"parts": [{"text": "\ud800"}]}},
        ],
        ids=json.dumps,
    )
    async def test_invalid_a2a_request_is_400(
        self, host: HostClient, body: object
    ) -> None:
        content = json.dumps(body).encode()

        answer = await host.http.post(SEND, content=content, headers=JSON)

        error = answer.json()["error"]
        assert answer.status_code == error["code"] == 400
        assert error["message"]

    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonp",
            "",
        ],
    )
    async def test_wrong_content_type_is_415_and_names_the_right_one(
        self, host: HostClient, kind: str
    ) -> None:
        body = json.dumps({"message": MESSAGE}).encode()

        answer = await host.http.post(
            SEND, content=body, headers={"content-type": kind}
        )

        error = answer.json()["error"]
        assert answer.status_code == error["code"] == 415
        assert "send it as application/json" in error["message"]


class TestCursor:
    @pytest.mark.parametrize(
        "path",
        [
            "/feed?after=abc",
            "/tasks/stream?after=abc",
            "/feed.ndjson?after=abc",
            "/feed.ndjson?before=abc",
            "/feed/abc",
        ],
    )
    async def test_must_be_a_number(self, host: HostClient, path: str) -> None:
        answer = await host.http.get(path)

        assert answer.status_code == 400
        assert "'abc' is not a cursor" in answer.text
        assert "use the id of the last event you have" in answer.text

    @pytest.mark.parametrize("path", ["/feed", "/tasks/stream"])
    async def test_in_the_header_must_be_a_number(
        self, host: HostClient, path: str
    ) -> None:
        answer = await host.http.get(path, headers={"Last-Event-ID": "latest"})

        assert answer.status_code == 400
        assert "'latest' is not a cursor" in answer.text


@pytest.mark.parametrize("every", ["-1", "1001", "0.5", "soon", "9" * 30])
@pytest.mark.parametrize("path", ["/feed", "/tasks/stream"])
async def test_invalid_interval_is_400_and_names_the_limits(
    host: HostClient, path: str, every: str
) -> None:
    answer = await host.http.get(f"{path}?every_ms={every}")

    assert answer.status_code == 400
    assert "every_ms" in answer.text
    assert "0 to 1000" in answer.text


@pytest.mark.parametrize(
    "limit", ["0", "-1", "1.5", "many", "²", "%20", "9" * 30, "1e3"]
)
async def test_limit_that_is_not_a_number_is_400(host: HostClient, limit: str) -> None:
    answer = await host.http.get(f"/feed.ndjson?limit={limit}")

    assert answer.status_code == 400
    assert "limit" in answer.text


class TestForeign:
    @pytest.mark.parametrize("path", ["/", "/feed", "/agents", "/feed.ndjson"])
    async def test_host_is_400(self, host: HostClient, path: str) -> None:
        answer = await host.http.get(path, headers={"host": "evil.example:8000"})

        assert answer.status_code == 400
        assert "Host 'evil.example:8000' is not a name of this host" in answer.text

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://["])
    async def test_origin_cannot_send_commands(
        self, host: HostClient, origin: str
    ) -> None:
        for path in (SEND, "/a2a/carly/tasks/t1:cancel", "/agents/carly:retry"):
            answer = await host.http.post(
                path, json={"message": MESSAGE}, headers={"origin": origin}
            )

            assert answer.status_code == 403
            assert "another origin" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("POST", "/feed.ndjson", "GET"),
        ("POST", "/feed/1", "GET"),
        ("PUT", "/healthz", "GET"),
        ("DELETE", "/agents", "GET"),
        ("PUT", "/login", "POST"),
        ("GET", "/a2a/carly", "POST"),
        ("GET", SEND, "POST"),
        ("GET", "/a2a/carly/tasks/t1:cancel", "POST"),
        ("GET", "/agents/carly:retry", "POST"),
    ],
)
async def test_wrong_method_is_405_and_names_the_right_one(
    host: HostClient, method: str, path: str, right: str
) -> None:
    answer = await host.http.request(method, path)

    assert answer.status_code == 405
    assert right in answer.headers["allow"]


async def test_unknown_path_is_404(host: HostClient) -> None:
    for path in ("/nothing", "/a2a", "/feed/1/2", "/static/none.js"):
        assert (await host.http.get(path)).status_code == 404
