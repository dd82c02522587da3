"""Agents whose responses take the host much time: tiny chunks, heads, odd JSON."""

from __future__ import annotations

import json

from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, Json

STREAMS = 50
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: %b\r\n\r\n"
JSON_LINES = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[\n"
TINY = b"1\r\n \r\n" * 10_000
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2_000
TRAILERS = b"0\r\n" + b"X-Trailer: more\r\n" * 10_000


class Endless(OneTaskAgent):
    """Sends the same bytes again and again, as fast as the client reads."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        super().__init__()
        self._begin, self._again = begin, again

    async def stream(self, exchange: Exchange) -> None:
        await exchange.send(self._begin)
        while True:
            await exchange.send(self._again)


class ManyStreams(OneTaskAgent):
    """Has `STREAMS` open tasks, and one stream for each."""

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "ListTasks":
            return await super().call(exchange)
        tasks = [{**self.task(), "id": f"t{n}"} for n in range(STREAMS)]
        await exchange.result({"tasks": tasks, "nextPageToken": ""})


class RawStreams(ManyStreams):
    """Answers each subscription with `begin`, then `again` without end."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        super().__init__()
        self._begin, self._again = begin, again

    async def subscribe(self, exchange: Exchange) -> None:
        await exchange.send(self._begin)
        while True:
            await exchange.send(self._again)


class RawCard(RawStreams):
    """Answers the request for the card in the same way."""

    card = RawStreams.subscribe


class Comments(ManyStreams, Endless):
    """Sends SSE comments only."""


class OddJson(ManyStreams):
    """Sends updates in a form of 0.3, which takes long to read."""

    async def stream(self, exchange: Exchange) -> None:
        task_id = exchange.params["id"]
        data = [[1, 2, 3]] * 1_500
        while True:
            update: Json = json.loads(self.update("x"))
            changed = update["statusUpdate"]
            changed["taskId"] = task_id
            message = changed["status"]["message"]
            message["message_id"] = f"{task_id}-{message.pop('messageId')}"
            message["parts"] = [{"data": {"rows": data}}]
            await exchange.send(exchange.event(json.dumps(update).encode()))


def create_costly_agents() -> dict[str, OneTaskAgent]:
    json_head, sse_head = CHUNKED % b"application/json", CHUNKED % b"text/event-stream"
    return {
        "tinycard": RawCard(json_head, TINY),
        "interimcard": RawCard(b"", INTERIM),
        "tinychunks": RawStreams(sse_head, TINY),
        "interim": RawStreams(b"", INTERIM),
        "trailers": RawStreams(sse_head, TRAILERS),
        "comments": Comments(b"", b":\n\n" * 20_000),
        "jsonlines": RawStreams(JSON_LINES, b"1,\n" * 20_000),
        "oddjson": OddJson(),
    }
