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

from ..clients.bindings.types import Update
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..protocol.a2a_objects import StreamResponse
from .backend import Backend

MAX_MESSAGES = 10_000  # Per agent.
MAX_BYTES = 8 * 1024 * 1024  # Per agent, of answers that are Messages.


@dataclass
class SentMessage:
    """A message, and the agent's answer to it.

    `answer` is None once the agent has answered. Then the answer is `message`, or the
    task `task_id`. `feed_head` is the feed's last event before the message was sent.
    """

    feed_head: int
    digest: bytes
    answer: asyncio.Future[Update] | None
    message: StreamResponse | None = None
    task_id: str = ""
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
    ) -> tuple[SentMessage, Update | None]:
        """Send a message, or wait for the answer if it is being sent.

        The update is the answer, None if the agent answered earlier. Raises the
        errors of the agent's `send`. The message can then be sent again.
        """
        message = request.message
        if not self.is_known(agent.name, message):
            answer: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
            sent = SentMessage(self._feed.head, _digest(message), answer)
            self._sent[agent.name][message.message_id] = sent
            self._group.start_soon(self._send, agent, request, sent, answer)
        sent = self._sent[agent.name][message.message_id]
        return sent, await asyncio.shield(sent.answer) if sent.answer else None

    async def _send(
        self,
        agent: Backend,
        request: pb.SendMessageRequest,
        sent: SentMessage,
        answer: asyncio.Future[Update],
    ) -> None:
        try:
            update = await agent.send(request)
            self._keep_answer(agent.name, sent, update)
            answer.set_result(update)
        except BaseException as error:
            self._sent[agent.name].pop(request.message.message_id, None)
            if not isinstance(error, Exception):
                answer.cancel()
                raise
            answer.set_exception(error)
            answer.exception()  # Perhaps no client waits: asyncio must not warn.
        finally:
            sent.answer = None

    def _keep_answer(self, name: str, sent: SentMessage, update: Update) -> None:
        response = update.response
        if response.message is not None:
            sent.message, sent.size = response, len(update.raw)
        elif response.task_id:
            sent.task_id = response.task_id
        else:
            raise AgentUnreachable(
                f"bad response: {name} answered a message with an update that names no "
                "task"
            )
        self._bytes[name] += sent.size
        kept = self._sent[name]
        while len(kept) > MAX_MESSAGES or self._bytes[name] > MAX_BYTES:
            _, oldest = kept.popitem(last=False)
            self._bytes[name] -= oldest.size


def _digest(message: pb.Message) -> bytes:
    return sha256(message.SerializeToString(deterministic=True)).digest()
