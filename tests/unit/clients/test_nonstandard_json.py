"""Updates in JSON of odd forms are read on each binding, and reported in `lint`."""

from __future__ import annotations

import json

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import TaskNotFoundError

from host.clients.bindings.json_binding import NONSTANDARD
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface, Update
from host.clients.rate_limit import RateLimiter
from tests.support.binding_server import PROTOCOLS, SSE, Json, connect_to, open_agent
from tests.support.canned_server import CannedServer, http_response, serve

IDS = {"taskId": "t", "contextId": "c"}
PARTS: dict[tuple[str, str], Json] = {
    ("JSONRPC", "0.3"): {"kind": "text", "text": "hi, [1,] {,}"},
}
Protocol = tuple[str, str]


def chunk(protocol: Protocol, *, append: object, last: object) -> Json:
    part = PARTS.get(protocol, {"text": "hi, [1,] {,}"})
    artifact = {"artifactId": "a", "parts": [part]}
    update = {**IDS, "artifact": artifact, "append": append, "lastChunk": last}
    if protocol[1] == "1.0" or protocol[0] != "JSONRPC":
        update = {"artifactUpdate": update}
    else:
        update["kind"] = "artifact-update"
    return {"result": update} if protocol[0] == "JSONRPC" else update


async def read(
    protocol: Protocol, body: bytes, kind: str
) -> tuple[list[Update], int, list[str]]:
    """Return the updates, the number of lost ones, and the lint lines."""
    updates, lost = [], 0
    async with serve(CannedServer(http_response(body, kind))) as url:
        async with connect_to(url) as transport:
            opening = open_binding(
                Interface(*protocol, url), pb.AgentCard(), transport, RateLimiter()
            )
            async with opening as binding:
                async for batch in binding.subscribe("t", None):
                    updates += batch.updates
                    lost += batch.left_out
        return updates, lost, list(transport.lint)


def check(found: tuple[list[Update], int, list[str]], count: int = 1) -> None:
    updates, lost, lint = found
    assert (len(updates), lost) == (count, 0)
    assert NONSTANDARD in lint
    for update in updates:
        chunk_read = update.response.artifact_update
        assert chunk_read
        assert (chunk_read.append, chunk_read.last_chunk) == (False, True)
        assert chunk_read.artifact.parts[0].text == "hi, [1,] {,}"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("no", "yes"), [("false", "true"), ("False", "True"), (0, 1)])
async def test_flags_are_read_in_other_types(
    protocol: Protocol, no: object, yes: object
) -> None:
    text = json.dumps(chunk(protocol, append=no, last=yes))

    check(await read(protocol, f"data: {text}\n\n".encode(), SSE))


@pytest.mark.parametrize("protocol", PROTOCOLS[:3])
@pytest.mark.parametrize("comma", [",", " , "])
@pytest.mark.parametrize("kind", [SSE, "application/x-ndjson"])
async def test_trailing_commas_are_read(
    protocol: Protocol, comma: str, kind: str
) -> None:
    right = chunk(protocol, append=False, last=True)
    text = json.dumps({**right, "extra": [1]}).replace("}", f"{comma}}}")
    # The text of the part stays as it is.
    text = text.replace(f"{{,{comma}}}", "{,}").replace("[1]", f"[1{comma}]")
    line = f"data: {text}\n\n" if kind == SSE else f"{text}\n"

    check(await read(protocol, 2 * line.encode(), kind), 2)


async def test_trailing_commas_in_a_call_are_read() -> None:
    body = b'{"result": {"id": "t", "status": {"state": "TASK_STATE_WORKING",},},}'
    async with open_agent(CannedServer(http_response(body))) as binding:
        update = await binding.get_task("t")

    assert update.response.task and update.response.task.id == "t"


async def test_error_code_in_text_is_read() -> None:
    body = b'{"error": {"code": "-32001", "message": "gone"}}'
    async with open_agent(CannedServer(http_response(body))) as binding:
        with pytest.raises(TaskNotFoundError, match="gone"):
            await binding.get_task("t")
