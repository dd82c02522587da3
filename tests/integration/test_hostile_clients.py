"""Clients without a token that break HTTP at a real host, over raw sockets.

Each response is safe for a browser, the log stays short, and memory does not grow.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import anyio
import httpx
import pytest

from tests.support.process_memory import peak_mb
from tests.support.raw_requests import exchange, flood
from tests.support.stack import Stack

TOKEN = "operator-0123456789"
MIB = 1024 * 1024
ATTACKERS = 4
MAX_GROWTH_MB = 64

HOST = b"Host: localhost\r\n"
BAD_REQUESTS = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"NOSUCH / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET /\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    b"GET  HTTP/1.1\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://localhost HTTP/1.1\r\n" + HOST + b"\r\n",
    b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n",
    b"GET / HTTP/1.1\r\n" + HOST + b" folded: yes\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1_000 + b"\r\n",
    b"GET /?" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
]
UPGRADE = b"Connection: upgrade, close\r\nUpgrade: %b\r\nSec-WebSocket-Key: x\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"
REFUSED_REQUESTS = [
    b"GET //// HTTP/1.1\r\n" + CLOSE,
    b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /feed HTTP/1.1\r\n" + HOST + UPGRADE % b"websocket",
    b"GET /feed HTTP/1.1\r\n" + HOST + UPGRADE % b"h2c",
    b"GET http://evil.example/feed HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET / HTTP/1.1\r\nHost: [::1].evil.example\r\n" + CLOSE,
    b"GET /%00 HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /static/%00 HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /static/%ff%fe HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /static/" + b"a" * 5_000 + b" HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /static/../../etc/passwd HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /login?then=%ff%00%0d%0aSet-Cookie:x HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /login?%ff=%ff&then[]=&%=%& HTTP/1.1\r\n" + HOST + CLOSE,
    b"PUT /login HTTP/1.1\r\n" + HOST + CLOSE,
    b"DELETE /healthz HTTP/1.1\r\n" + HOST + CLOSE,
    b"GET /feed HTTP/1.1\r\n" + HOST + b"Authorization: Bearer \xff\xfe\r\n" + CLOSE,
    b"GET /feed HTTP/1.1\r\n" + HOST + b"Cookie: courtside_1=\xff; ;=;,\r\n" + CLOSE,
    # Python's parser takes a minute for this (CVE-2024-7592).
    b"GET /feed HTTP/1.1\r\n"
    + HOST
    + b'Cookie: a="'
    + b"\\" * 60_000
    + b'"\r\n'
    + CLOSE,
    b"GET /static/favicon.svg HTTP/1.1\r\n"
    + HOST
    + b"Range: bytes="
    + b"0-," * 20_000
    + b"1-\r\n"
    + CLOSE,
    b"GET /feed HTTP/1.1\r\n" + HOST + b"Origin: \xff\r\n" + CLOSE,
    b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Accept: text/html\r\nX-Forwarded-For: ,,,\xff\r\nX-Forwarded-Prefix: \xff\r\n"
    + CLOSE,
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"Range: bytes=9-1,x\r\n" + CLOSE,
    b"GET /static/favicon.svg HTTP/1.1\r\n"
    + HOST
    + b"Range: bytes=5-2,-0,x\r\nIf-Modified-Since: never\r\nIf-Range: \xff\r\n"
    + CLOSE,
    b"POST /login HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n"
    + CLOSE
    + b"token=%ff&then=%00%0a\xff",
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a host that sees IPv4 clients as IPv4-mapped addresses."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(
        folder, ["carly"], log="memory", host_toml='host = "::"', token=TOKEN
    ) as running:
        yield running


@pytest.fixture
def port(stack: Stack) -> int:
    return int(stack.url.rpartition(":")[2])


def check_responses(answer: bytes) -> None:
    heads = [part.partition(b"\r\n\r\n")[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert heads
    for head in heads:
        lines = head.lower().split(b"\r\n")
        assert lines.count(b"x-content-type-options: nosniff") == 1
        assert sum(line.startswith(b"content-security-policy:") for line in lines) == 1


@pytest.mark.parametrize("request_bytes", BAD_REQUESTS)
async def test_bad_request_gets_a_safe_error(port: int, request_bytes: bytes) -> None:
    answer = await exchange(port, request_bytes)

    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505 "))
    assert b"connection: close" in answer
    check_responses(answer)


@pytest.mark.parametrize("request_bytes", REFUSED_REQUESTS)
async def test_odd_request_gets_a_safe_response(
    port: int, request_bytes: bytes
) -> None:
    answer = await exchange(port, request_bytes)

    assert not answer.startswith(b"HTTP/1.1 5")
    check_responses(answer)


async def test_changed_requests_get_safe_responses(port: int) -> None:
    """Like a fuzzer: with random bytes replaced, removed or repeated."""
    random_ = random.Random(21)  # noqa: S311
    for sample in (BAD_REQUESTS + REFUSED_REQUESTS) * 3:
        changed = bytearray(sample)
        for _ in range(random_.randint(1, 4)):
            at = random_.randrange(len(changed))
            changed[at : at + random_.randint(0, 3)] = random_.randbytes(
                random_.randint(0, 3)
            )
        # Without an end, the host would wait for the rest of the request.
        end = b"\r\n\r\nGET / HTTP/1.0\r\n\r\n\x00\r\n\r\n"
        check_responses(await exchange(port, bytes(changed) + end))


@pytest.mark.parametrize("path", [b"/login", b"/agents", b"/a2a/carly"])
async def test_client_may_leave_within_its_request(port: int, path: bytes) -> None:
    """The log must not get a traceback; the last test looks."""
    head = (
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: 1000\r\n\r\n"
    )
    kind = (
        b"application/x-www-form-urlencoded"
        if path == b"/login"
        else b"application/json"
    )
    for _ in range(5):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(head % (path, kind, TOKEN.encode()) + b"token=x")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/feed", 200),
        ("HEAD", "/feed", 200),
        ("GET", "/tasks/stream", 200),
        ("GET", "/feed?after=never", 400),
        ("GET", "/feed?every_ms=x", 400),
        ("POST", "/feed", 405),
        ("POST", "/feed.ndjson", 405),
        ("GET", "/nothing", 404),
        ("GET", "/agents/none", 404),
        ("GET", "/", 200),
        ("GET", "/a2a/carly/tasks/t:subscribe", 404),
    ],
)
async def test_response_with_a_token_is_safe(
    stack: Stack, method: str, path: str, status: int
) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with (
        httpx.AsyncClient(base_url=stack.url, trust_env=False) as http,
        http.stream(method, path, headers=headers) as answer,
    ):
        assert answer.status_code == status
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert len(answer.headers.get_list("content-security-policy")) == 1


async def test_http10_stream_has_no_chunks(port: int) -> None:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(
            b"GET /feed HTTP/1.0\r\nHost: localhost\r\n"
            b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
        )
        answer = b""
        with anyio.fail_after(30):
            while b"event: snapshot" not in answer:
                answer += await stream.receive()

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body.startswith(b"retry: ")


@pytest.mark.parametrize(
    "line", [b"X-Drop: " + b"y" * 90 + b"\r\n", b"a:\r\n", b"X" * 1_024]
)
@pytest.mark.parametrize("token", [b"", TOKEN.encode()])
async def test_endless_trailers_do_not_grow_the_memory(
    stack: Stack, port: int, token: bytes, line: bytes
) -> None:
    before = peak_mb(stack.host.pid)
    head = (
        b"POST /agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    ) % token
    block = line * (256 * 1024 // len(line))

    async with anyio.create_task_group() as group:
        for _ in range(ATTACKERS):
            group.start_soon(flood, port, head, block, 512 * MIB)

    assert peak_mb(stack.host.pid) - before < MAX_GROWTH_MB


def test_log_has_one_warning_per_minute_and_no_traceback(stack: Stack) -> None:
    """The tests above ran on the same host, and sent hundreds of bad requests."""
    lines = stack.host.output().splitlines()
    refused = [line for line in lines if "from=courtside.connections" in line]

    assert 0 < len(refused) < 10
    assert all("client=127.0.0.1 " in line for line in refused)
    assert not [line for line in lines if "traceback" in line.lower()]
    assert not [line for line in lines if "level=ERROR" in line]
