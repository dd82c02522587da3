"""Sends the bytes of requests to the host's connection, guard and an application."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from host.api.connections import Connection
from host.api.feed_stream import parse_filter
from host.api.guard import Guard
from host.api.json_body import read_json
from host.api.refusals import Warnings
from host.api.responses import EXPECTED_ERRORS
from host.config.access_rules import AccessRules
from tests.fuzz.fake_transport import FakeTransport
from tests.fuzz.mutations import split
from tests.support.guarded_app import TOKEN, protect

TURNS = 12  # Of the event loop, for a few requests in a row.


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    status = 200
    try:
        parse_filter(request.query_params)
        await read_json(request, dict)
    except EXPECTED_ERRORS:
        status = 400
    except ClientDisconnect:
        return
    await PlainTextResponse("", status)(scope, receive, send)


async def read_requests(random: Random, data: bytes) -> None:
    rules = AccessRules(token=random.choice(("", TOKEN)))
    app = protect(_app, Guard("127.0.0.1", 8000, rules))
    config = uvicorn.Config(app, ws="none", log_config=None)
    config.load()
    create = partial(Connection, config, ServerState(), {}, warnings=Warnings())
    connection, transport = create(on_end=lambda: None), FakeTransport()
    connection.connection_made(transport)
    for piece in split(random, data):
        if not transport.is_closing():
            connection.data_received(piece)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    assert not transport.sent or transport.sent.startswith(b"HTTP/1.")
    assert not transport.sent.startswith(b"HTTP/1.1 500"), transport.sent
