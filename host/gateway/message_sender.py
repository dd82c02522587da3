"""Sends each message to its agent once, even if clients disconnect or repeat it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from hashlib import sha256

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from anyio.abc import TaskGroup

from ..clients.answer import Answer
from ..feed.feed import Feed
from .backend import Backend

MAX_MESSAGES = 10_000  # Per agent.
MAX_BYTES = 8 * 1024 * 1024  # Per agent, of answers that are Messages.


@dataclass
class SentMessage:
    """A message, and the agent's answer to it.

    `feed_head` is the feed's last event before the message was sent.
    """

    feed_head: int
    digest: bytes
    answer: asyncio.Future[Answer]
    size: int = 0


class MessageSender:
    """Call `run` in a task group: it completes each send that has begun."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._sent: dict[str, OrderedDict[str, SentMessage]] = defaultdict(OrderedDict)
        self._bytes: dict[str, int] = defaultdict(int)
        self._group: TaskGroup

    async def run(self) -> None:
        async with anyio.create_task_group() as self._group:
            await anyio.sleep_forever()

    def is_known(self, agent: str, message: pb.Message) -> bool:
        """Return whether this message was sent before.

        Raises InvalidParamsError if a different message had its id.
        """
        known = self._sent[agent].get(message.message_id)
        if known and known.digest != _digest(message):
            raise InvalidParamsError(
                f"messageId {message.message_id[:80]!r} was used for another message: "
                "send each message with a new id"
            )
        return known is not None

    async def send(
        self, agent: Backend, request: pb.SendMessageRequest
    ) -> tuple[SentMessage, Answer]:
        """Send a message, or wait for the answer if it is being sent.

        The answer has begun. Raises the errors of the agent's `send`. The message can
        then be sent again.
        """
        message = request.message
        if not self.is_known(agent.name, message):
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            sent = SentMessage(self._feed.head, _digest(message), answer)
            self._sent[agent.name][message.message_id] = sent
            self._group.start_soon(self._send, agent, request, sent)
        sent = self._sent[agent.name][message.message_id]
        return sent, await asyncio.shield(sent.answer)

    async def _send(
        self, agent: Backend, request: pb.SendMessageRequest, sent: SentMessage
    ) -> None:
        try:
            answer = await agent.send(request)
        except BaseException as error:
            self._sent[agent.name].pop(request.message.message_id, None)
            if not isinstance(error, Exception):
                sent.answer.cancel()
                raise
            sent.answer.set_exception(error)
            sent.answer.exception()  # Perhaps no client waits: asyncio must not warn.
            return
        sent.answer.set_result(answer)
        self._forget_oldest(agent.name)
        await answer.complete()
        if self._sent[agent.name].get(request.message.message_id) is sent:
            # Who repeats the message gets the task as it is then.
            sent.answer = asyncio.get_running_loop().create_future()
            sent.answer.set_result(answer.without_task())
            sent.size = answer.size
            self._bytes[agent.name] += sent.size
            self._forget_oldest(agent.name)

    def _forget_oldest(self, name: str) -> None:
        kept = self._sent[name]
        while len(kept) > MAX_MESSAGES or self._bytes[name] > MAX_BYTES:
            _, oldest = kept.popitem(last=False)
            self._bytes[name] -= oldest.size


def _digest(message: pb.Message) -> bytes:
    return sha256(message.SerializeToString(deterministic=True)).digest()
