"""Responds to HTTP/1.0 requests without chunks, which such clients cannot read."""

from __future__ import annotations

from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def send_without_chunks(cycle: RequestResponseCycle) -> Send:
    """Return a `send` whose response has its length, or ends with the connection.

    uvicorn sends chunks to HTTP/1.0 clients, too: it only looks for a length. Its
    private fields say that the response has one, which grows with the body.
    tests/unit/api/test_uvicorn_internals.py fails when they change.
    """
    has_length = False

    async def send(message: Message) -> None:
        nonlocal has_length
        if message["type"] == "http.response.start":
            has_length = any(
                name.lower() == b"content-length" for name, _ in message["headers"]
            )
            if not has_length:
                cycle.chunked_encoding = False
        elif not has_length:
            cycle.expected_content_length += len(message.get("body", b""))
        await cycle.send(message)  # type: ignore[arg-type]

    return send
