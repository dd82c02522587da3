"""Owns the sending of messages down: each once, whoever goes away or asks again.

The gateway's operations send through it; a message is known by its id.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from hashlib import sha256

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from anyio.abc import TaskGroup

from ..clients.bindings.types import Update
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..protocol import a2a
from .backend import Backend

MAX_KEPT = 10_000  # Of each agent.
MAX_KEPT_BYTES = 8 * 1024 * 1024  # Answers that are messages are kept themselves.


@dataclass
class Sent:
    """A message that was sent, when the feed ended with the event `since`.

    `answer` is there while it is under way; then `message` where it was answered by
    one, else `task_id`.
    """

    since: int
    digest: bytes
    answer: asyncio.Future[Update] | None
    message: a2a.StreamResponse | None = None
    task_id: str = ""
    size: int = 0


class Sends:
    """`run` it in a task group: what is sent is sent to its end."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._sent: dict[str, OrderedDict[str, Sent]] = defaultdict(OrderedDict)
        self._bytes: dict[str, int] = defaultdict(int)
        self._group: TaskGroup

    async def run(self) -> None:
        async with anyio.create_task_group() as self._group:
            await anyio.sleep_forever()

    def is_known(self, agent: str, message: pb.Message) -> bool:
        """Whether the agent has it already. Raises InvalidParamsError where its id is
        that of another message."""
        known = self._sent[agent].get(message.message_id)
        if known and known.digest != _digest(message):
            raise InvalidParamsError(
                f"messageId {message.message_id[:80]!r} is that of another message, "
                "sent before: give each message an id of its own"
            )
        return known is not None

    async def send(
        self, agent: Backend, request: pb.SendMessageRequest
    ) -> tuple[Sent, Update | None]:
        """Sends it, or waits for the answer to it that is under way; None where that
        was long ago.

        Raises what the agent's `send` does; then it may be sent again.
        """
        name, message = agent.name, request.message
        if not self.is_known(name, message):
            answer: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
            fresh = Sent(self._feed.head, _digest(message), answer)
            self._sent[name][message.message_id] = fresh
            self._group.start_soon(self._send, agent, request, fresh, answer)
        sent = self._sent[name][message.message_id]
        return sent, await asyncio.shield(sent.answer) if sent.answer else None

    async def _send(
        self,
        agent: Backend,
        request: pb.SendMessageRequest,
        sent: Sent,
        answer: asyncio.Future[Update],
    ) -> None:
        try:
            update = await agent.send(request)
            self._keep(agent.name, sent, update)
            answer.set_result(update)
        except BaseException as error:
            self._sent[agent.name].pop(request.message.message_id, None)
            if not isinstance(error, Exception):
                answer.cancel()
                raise
            answer.set_exception(error)
            answer.exception()  # There may be nobody left who asks.
        finally:
            sent.answer = None

    def _keep(self, name: str, sent: Sent, update: Update) -> None:
        response = update.response
        if response.message is not None:
            sent.message, sent.size = response, len(update.raw)
        elif response.task_id:
            sent.task_id = response.task_id
        else:
            raise AgentUnreachable(
                f"bad answer: {name} answered with an update of no task, so that "
                "nobody can tell what became of the message"
            )
        self._bytes[name] += sent.size
        kept = self._sent[name]
        while len(kept) > MAX_KEPT or self._bytes[name] > MAX_KEPT_BYTES:
            _, oldest = kept.popitem(last=False)
            self._bytes[name] -= oldest.size


def _digest(message: pb.Message) -> bytes:
    return sha256(message.SerializeToString(deterministic=True)).digest()
