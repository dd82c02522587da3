"""Sends bytes over a socket as a client that obeys no rules, and reads the answer."""

from __future__ import annotations

import anyio

DEADLINE_S = 30.0
END_ERRORS = (anyio.EndOfStream, anyio.BrokenResourceError)


async def exchange(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send the pieces, and return all received bytes until the server closes."""
    with anyio.fail_after(DEADLINE_S):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            received = b""

            async def listen() -> None:
                nonlocal received
                end_errors = (anyio.EndOfStream, anyio.BrokenResourceError)
                try:
                    while True:
                        received += await stream.receive()
                except end_errors:
                    group.cancel_scope.cancel()

            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                for piece in pieces:
                    await stream.send(piece)
                    await anyio.sleep(pause_s)
                await anyio.sleep_forever()
            return received


async def flood(
    port: int, head: bytes, block: bytes, most: int
) -> tuple[int, bytes]:  # sent bytes and received bytes
    """Send the head, then the block again and again until the server closes.

    Stop after `most` bytes. Return after the server has closed the connection.
    """
    sent, received = 0, b""
    with anyio.fail_after(DEADLINE_S):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:

            async def send() -> None:
                nonlocal sent
                try:
                    await stream.send(head)
                    while sent < most:
                        await stream.send(block)
                        sent += len(block)
                except anyio.BrokenResourceError:
                    pass

            async with anyio.create_task_group() as group:
                group.start_soon(send)
                try:
                    while True:
                        received += await stream.receive()
                except END_ERRORS:
                    group.cancel_scope.cancel()
    return sent, received
