"""Updates and cards that are nested deeply, or have very many values, are refused.

A server in this process sends them to each HTTP binding.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Batch, Interface, Query, TaskTooLarge
from host.clients.bindings.unreachable_errors import MAX_BEGIN
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from host.protocol import json_values
from host.protocol.agent_card import parse_card
from host.protocol.json_values import MAX_VALUES
from tests.support.binding_server import PROTOCOLS, SSE, connect_to, open_agent
from tests.support.canned_server import CannedServer, http_response, serve

Json = dict[str, Any]
Protocol = tuple[str, str]
# An object takes three levels of a protobuf message, which may have 100.
DEPTHS = (30, 34, 40, 60, 99)


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def status_update(protocol: Protocol, metadata: Json) -> Json:
    state = "working" if protocol[1] == "0.3" else "TASK_STATE_WORKING"
    update: Json = {"taskId": "t", "contextId": "c", "status": {"state": state}}
    update["metadata"] = metadata
    if protocol == ("JSONRPC", "0.3"):
        update = {"kind": "status-update", "final": False, **update}
    else:
        update = {"statusUpdate": update}
    return {"result": update} if protocol[0] == "JSONRPC" else update


async def read(protocol: Protocol, *bodies: Json) -> list[Batch]:
    """Return the batches of a stream with these bodies."""
    sent = "".join(f"data: {json.dumps(body)}\n\n" for body in bodies)
    server = CannedServer(http_response(sent.encode(), SSE))
    async with serve(server) as url, connect_to(url) as transport:
        opening = open_binding(
            Interface(*protocol, url), pb.AgentCard(), transport, RateLimiter()
        )
        async with opening as binding:
            return [batch async for batch in binding.subscribe("t", None)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("depth", DEPTHS)
async def test_update_with_deep_data_is_read_or_left_out(
    protocol: Protocol, depth: int
) -> None:
    deep = status_update(protocol, nest(depth))

    batches = await read(protocol, deep, status_update(protocol, {}))

    received = sum(len(batch.updates) + batch.left_out for batch in batches)
    assert received == 2
    assert batches[-1].updates


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("is_v03", [True, False])
def test_card_with_deep_data_can_be_copied_or_is_refused(
    depth: int, is_v03: bool
) -> None:
    extensions = [{"uri": "x", "params": nest(depth)}]
    body: Json = {"name": "a", "capabilities": {"extensions": extensions}}
    body["url" if is_v03 else "supportedInterfaces"] = "http://a" if is_v03 else []
    try:
        card = parse_card(json.dumps(body).encode())
    except ValueError:
        return
    assert pb.AgentCard.FromString(card.SerializeToString()) == card


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("unit", [[], 0, "", {"a": 1}])
async def test_update_with_too_many_values_is_left_out_with_the_limit(
    protocol: Protocol, unit: object
) -> None:
    large = status_update(protocol, {"a": [unit] * (MAX_VALUES + 1)})
    below = status_update(protocol, {"a": [unit] * (MAX_VALUES // 3)})

    batches = await read(protocol, large, below)

    lost = [(batch.left_out, batch.why) for batch in batches if batch.left_out]
    assert [count for count, _ in lost] == [1]
    assert f"over {MAX_VALUES} JSON values" in (lost[0][1] or "")
    assert sum(len(batch.updates) for batch in batches) == 1


async def test_text_with_many_separators_is_read() -> None:
    protocol = ("HTTP+JSON", "1.0")
    text = '[{,"' * MAX_VALUES

    [batch] = await read(protocol, status_update(protocol, {"a": text}))

    assert batch.updates and not batch.left_out


@pytest.mark.parametrize("size", [0, MAX_BEGIN])
async def test_state_of_a_large_task_is_found_only_at_its_start(size: int) -> None:
    status = {"state": "TASK_STATE_COMPLETED"}
    task = {"id": "t", "metadata": {"a": "x" * size}, "status": status}
    result = {**task, "history": [[]] * (MAX_VALUES + 1)}
    body = json.dumps({"result": result}).encode()
    async with open_agent(CannedServer(http_response(body))) as binding:
        with pytest.raises(TaskTooLarge, match=f"over {MAX_VALUES} JSON") as raised:
            await binding.get_task("t")

    if size:
        assert raised.value.known is None
        return
    assert raised.value.known and raised.value.known.response.status_update
    found = raised.value.known.response.status_update.status.state
    assert found == "TASK_STATE_COMPLETED"


async def test_list_and_error_with_too_many_values_are_not_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = json.dumps({"error": {"details": [[]] * (MAX_VALUES + 1)}}).encode()
    decoded: list[int] = []

    def decode(data: bytes) -> Any:
        decoded.append(len(data))
        return json.loads(data)

    for status in (200, 400):
        answer = http_response(large, status=status)
        async with open_agent(CannedServer(answer)) as binding:
            monkeypatch.setattr(msgspec.json, "decode", decode)
            with pytest.raises(AgentUnreachable, match=f"over {MAX_VALUES} JSON"):
                await binding.list_tasks(Query())
            monkeypatch.undo()

    assert max(decoded, default=0) < json_values.SMALL_BYTES
