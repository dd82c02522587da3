"""Agents whose responses are exactly at a limit of the host, or one beyond.

`python -m tests.support.limit_agents PORT` serves two of each kind, `KIND-at` and
`KIND-beyond`, each under its own path. For test_limits_of_agents.py.
"""

from __future__ import annotations

import asyncio
import json
import sys

from host.clients import answer, card, connection, security_schemes
from host.clients.aiohttp_transport import MAX_HEAD_LINE
from host.clients.bindings import http_transport, json_errors, sse, unreachable_errors
from host.gateway import a2a_updates
from host.protocol import event_builders, lenient_json, task_result
from tests.support import raw_agent
from tests.support.limit_cards import (
    LargeCard,
    LongDescription,
    LongHeadLine,
    Redirects,
    Requirements,
    Schemes,
    Sized,
)
from tests.support.one_task_agent import PING_S
from tests.support.raw_agent import Exchange, Json, message_of, serve

MIB = 1024 * 1024
CHUNK = b"x" * 65_536
UNKNOWN_CODE = -32050
REFUSED_CODE = -32602
DEPTH_AROUND = 4
"""The levels of a response around a field of its update."""


class LargeList(Sized):
    async def call(self, exchange: Exchange) -> None:
        tasks = json.dumps({"tasks": [self.task()], "nextPageToken": ""}).encode()
        await exchange.answer(exchange.envelope(tasks).ljust(self.amount))


class OneEvent(Sized):
    """Sends something between two good updates, in its first stream."""

    async def stream(self, exchange: Exchange) -> None:
        if self.number == 1:
            await exchange.send(exchange.event(self.update("before")))
            await self.send_event(exchange)
            await exchange.send(exchange.event(self.update("after")))
        await exchange.until_gone(PING_S)

    async def send_event(self, exchange: Exchange) -> None:
        raise NotImplementedError


class LargeEvent(OneEvent):
    async def send_event(self, exchange: Exchange) -> None:
        event = exchange.event(self.update("MARK"))
        size = self.amount - len(event.rstrip()) + len("MARK")
        await exchange.send(event.replace(b"MARK", b"x" * size, 1))


class SkippedEvent(OneEvent):
    async def send_event(self, exchange: Exchange) -> None:
        await self.send_line(exchange)
        await exchange.send(b"\n\n")

    async def send_line(self, exchange: Exchange) -> None:
        for begin in range(0, self.amount, len(CHUNK)):
            await exchange.send(CHUNK[: self.amount - begin])


class EndlessEvent(SkippedEvent):
    """Sends nothing else in any stream."""

    async def stream(self, exchange: Exchange) -> None:
        await self.send_line(exchange)
        await exchange.until_gone()


class DeepEvent(OneEvent):
    """Its JSON has NaN, which A2A does not allow."""

    async def send_event(self, exchange: Exchange) -> None:
        update = json.loads(self.update("deep"))
        update["statusUpdate"]["unknown"] = "MARK"
        depth = self.amount - DEPTH_AROUND
        deep = b"[" * depth + b"NaN" + b"]" * depth
        event = exchange.event(json.dumps(update).encode())
        await exchange.send(event.replace(b'"MARK"', deep, 1))


class Asking(OneEvent):
    def build_choices(self) -> list[str]:
        return [f"choice {number}" for number in range(self.amount)]

    async def send_event(self, exchange: Exchange) -> None:
        update = json.loads(self.update("Which?"))
        changed = update["statusUpdate"]["status"]
        changed["state"] = "TASK_STATE_INPUT_REQUIRED"
        data = {"data": {"choices": self.build_choices()}}
        changed["message"]["parts"].append(data)
        await exchange.send(exchange.event(json.dumps(update).encode()))


class LongChoice(Asking):
    def build_choices(self) -> list[str]:
        return ["short", "x" * self.amount]


class LongError(Sized):
    """Refuses each message."""

    async def call(self, exchange: Exchange) -> None:
        if exchange.method.startswith("Send"):
            return await exchange.refuse(REFUSED_CODE, "x" * self.amount)
        await super().call(exchange)


class LongCause(Sized):
    """Fails in ListTasks."""

    async def call(self, exchange: Exchange) -> None:
        begin = f"JSON-RPC error {UNKNOWN_CODE}: "
        await exchange.refuse(UNKNOWN_CODE, "x" * (self.amount - len(begin)))


class ManyMessages(Sized):
    """Answers with messages, and with no task."""

    def count(self) -> tuple[int, str]:
        return self.amount, "hello"

    async def call(self, exchange: Exchange) -> None:
        if not exchange.method.startswith("Send"):
            return await exchange.result({"tasks": [], "nextPageToken": ""})
        count, text = self.count()
        await exchange.head()
        for number in range(count):
            message = {"message": message_of(text, f"m{number}")}
            await exchange.send(exchange.event(json.dumps(message).encode()))


class LargeMessages(ManyMessages):
    def count(self) -> tuple[int, str]:
        return self.amount // MIB, "x" * MIB


class LongHistory(Sized):
    """Sends that many messages, and then a last one."""

    async def stream(self, exchange: Exchange) -> None:
        if self.number == 1:
            for number in range(2, self.amount + 1):
                await exchange.send(exchange.event(self.update(f"update {number}")))
            await exchange.send(exchange.event(self.update("last")))
        await exchange.until_gone(PING_S)


class LongResult(Sized):
    """Ends its task with that many characters in one artifact."""

    def build_texts(self) -> list[str]:
        return ["x" * self.amount]

    async def stream(self, exchange: Exchange) -> None:
        for number, text in enumerate(self.build_texts()):
            artifact = {"artifactId": f"a{number}", "parts": [{"text": text}]}
            update = {"taskId": "t1", "contextId": "c1", "artifact": artifact}
            event = json.dumps({"artifactUpdate": update}).encode()
            await exchange.send(exchange.event(event))
        self.over = True
        await exchange.send(exchange.event(self.update("last")))


class ManyArtifacts(LongResult):
    """Together they are too long for the result of a row."""

    def build_texts(self) -> list[str]:
        return ["x" * task_result.MAX_RESULT_BYTES] * self.amount


class ManyTasks(Sized):
    """Has that many open tasks, with one stream each."""

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "ListTasks":
            return await super().call(exchange)
        start = int(exchange.params.get("pageToken") or 0)
        end = min(start + exchange.params.get("pageSize", 50), self.amount)
        tasks = [{**self.task(), "id": f"t{n}"} for n in range(start, end)]
        more = str(end) if end < self.amount else ""
        await exchange.result({"tasks": tasks, "nextPageToken": more})


class SlowTasks(ManyTasks):
    """Answers GetTask late. The task's message has the most calls at once so far."""

    LATE_S = 0.5

    def __init__(self, amount: int) -> None:
        super().__init__(amount)
        self.calls = self.most = 0

    def build_card(self, exchange: Exchange) -> Json:
        return raw_agent.card(exchange.name, exchange.url, streaming=False)

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "GetTask":
            return await super().call(exchange)
        self.calls += 1
        self.most = max(self.most, self.calls)
        await asyncio.sleep(self.LATE_S)
        self.calls -= 1
        message = message_of(
            f"most {self.most}", f"{exchange.params['id']} {self.most}"
        )
        status = {**self.status, "message": message}
        task = {**self.task(), "id": exchange.params["id"], "status": status}
        await exchange.result(task)


KINDS: dict[str, tuple[type[Sized], int]] = {
    "card": (LargeCard, card.MAX_CARD),
    "head": (LongHeadLine, MAX_HEAD_LINE),
    "redirects": (Redirects, card.MAX_REDIRECTS),
    "list": (LargeList, http_transport.MAX_BODY),
    "event": (LargeEvent, sse.MAX_EVENT),
    "skipped": (SkippedEvent, sse.MAX_SKIPPED),
    "endless": (EndlessEvent, sse.MAX_SKIPPED),
    "depth": (DeepEvent, lenient_json.MAX_DEPTH),
    "choices": (Asking, event_builders.MAX_CHOICES),
    "choice": (LongChoice, event_builders.MAX_CHOICE_CHARS),
    "error": (LongError, json_errors.MAX_MESSAGE),
    "cause": (LongCause, unreachable_errors.MAX_CAUSE),
    "messages": (ManyMessages, answer.MAX_MESSAGES),
    "bytes": (LargeMessages, answer.MAX_BYTES),
    "requirements": (Requirements, security_schemes.MAX_REQUIREMENTS),
    "schemes": (Schemes, security_schemes.MAX_SCHEMES),
    "description": (LongDescription, security_schemes.MAX_DESCRIPTION),
    "history": (LongHistory, a2a_updates.MAX_HISTORY),
    "result": (LongResult, task_result.MAX_RESULT_BYTES),
    "artifacts": (ManyArtifacts, task_result.MAX_RESULT_ARTIFACTS),
    "streams": (ManyTasks, connection.MAX_STREAMS),
    "gettask": (SlowTasks, connection.MAX_GET_TASK),
}
ONE_MORE = {"bytes": MIB}
"""How much is one more, where it is not 1."""


def create_agents() -> dict[str, Sized]:
    agents: dict[str, Sized] = {"plain-at": Sized(0)}
    for kind, (create, limit) in KINDS.items():
        agents[f"{kind}-at"] = create(limit)
        agents[f"{kind}-beyond"] = create(limit + ONE_MORE.get(kind, 1))
    return agents


async def main() -> None:
    agents = create_agents()
    await serve(int(sys.argv[1]), lambda x: agents[x.name].handle(x))


if __name__ == "__main__":
    asyncio.run(main())
