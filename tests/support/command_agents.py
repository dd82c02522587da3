"""Agents that answer messages and CancelTask in unusual ways.

`python -m tests.support.command_agents PORT` serves all of them, each under its own
path.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.support.raw_agent import Exchange, Json, card, serve, status

PING_S = 10.0
LATE_S = 0.3
WORKING, ASKING = "TASK_STATE_WORKING", "TASK_STATE_INPUT_REQUIRED"
CANCELED, COMPLETED = "TASK_STATE_CANCELED", "TASK_STATE_COMPLETED"


def message(text: str, **more: Any) -> Json:
    parts = [{"text": text}]
    return {"messageId": text, "role": "ROLE_AGENT", "parts": parts, **more}


class CommandAgent:
    """A good agent whose tasks run until they are cancelled."""

    def __init__(self) -> None:
        self.tasks: dict[str, Json] = {}
        self.changed = asyncio.Event()

    async def handle(self, exchange: Exchange) -> None:
        name = exchange.name
        if not exchange.method:
            await exchange.answer(json.dumps(card(name, exchange.url)).encode())
        elif exchange.method == "ListTasks":
            tasks = [*self.tasks.values()]
            await exchange.result({"tasks": tasks, "nextPageToken": ""})
        elif exchange.method == "GetTask":
            await self.get_task(exchange)
        elif exchange.method == "CancelTask":
            await self.cancel(exchange, exchange.params["id"])
        elif exchange.method == "SubscribeToTask":
            await self.subscribe(exchange, exchange.params["id"])
        else:
            await self.send(exchange, exchange.params["message"])

    async def get_task(self, exchange: Exchange) -> None:
        if task := self.tasks.get(exchange.params["id"]):
            await exchange.result(task)
        else:
            await exchange.refuse(-32001, "no such task")

    async def send(self, exchange: Exchange, sent: Json) -> None:
        task = self.set_task(sent["messageId"], WORKING, "Working")
        await exchange.head()
        await self.write(exchange, {"task": task})
        await self.until_ended(exchange, task["id"])

    async def subscribe(self, exchange: Exchange, task_id: str) -> None:
        await exchange.head()
        await self.write(exchange, {"task": self.tasks[task_id]})
        await self.until_ended(exchange, task_id)

    async def cancel(self, exchange: Exchange, task_id: str) -> None:
        await exchange.result(self.set_task(task_id, CANCELED, "Stopped"))

    async def until_ended(self, exchange: Exchange, task_id: str) -> None:
        """End the stream with the task, with a last update."""
        while self.tasks[task_id]["status"]["state"] in (WORKING, ASKING):
            await self.changed.wait()
        ended = self.tasks[task_id]
        update = {"taskId": task_id, "status": ended["status"]}
        await self.write(exchange, {"statusUpdate": update})

    def set_task(self, task_id: str, state: str, text: str, **more: Any) -> Json:
        before = self.tasks.get(task_id, {"id": task_id, "contextId": "c1"})
        number = before.get("metadata", {}).get("count", 0) + 1
        moment = status(text, number, state)
        moment["message"]["messageId"] = f"{task_id}-{number}"
        count = {"metadata": {"count": number}}
        task = self.tasks[task_id] = before | more | count | {"status": moment}
        self.changed.set()
        self.changed = asyncio.Event()
        return task

    async def write(self, exchange: Exchange, *responses: Json) -> None:
        for response in responses:
            await exchange.send(exchange.event(json.dumps(response).encode()))


class CancelAnswers(CommandAgent):
    """Cancels, and answers CancelTask with `answer`: the result, or a status."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    async def cancel(self, exchange: Exchange, task_id: str) -> None:
        self.set_task(task_id, CANCELED, "Stopped")
        if isinstance(self.answer, int):
            await exchange.answer(b"", self.answer)
        elif self.answer == "error":
            await exchange.refuse(-32603, "it broke")
        else:
            await exchange.result(self.answer)


class CancelsLater(CommandAgent):
    """Answers null, and cancels a moment later without another update."""

    async def cancel(self, exchange: Exchange, task_id: str) -> None:
        await exchange.answer(exchange.envelope(b"null"))
        await asyncio.sleep(LATE_S)
        self.set_task(task_id, CANCELED, "Stopped")

    async def until_ended(self, exchange: Exchange, task_id: str) -> None:
        await exchange.until_gone(PING_S)


class EndsStream(CommandAgent):
    """Answers with the old Task, and ends the stream without an update."""

    async def cancel(self, exchange: Exchange, task_id: str) -> None:
        await exchange.result(self.tasks[task_id])
        self.set_task(task_id, CANCELED, "Stopped")

    async def until_ended(self, exchange: Exchange, task_id: str) -> None:
        await self.changed.wait()


class Refuses(CommandAgent):
    async def cancel(self, exchange: Exchange, task_id: str) -> None:
        await exchange.refuse(-32002, "too late to cancel")


class ForgetsAnswer(CancelAnswers):
    """Answers null, and breaks for GetTask from then on."""

    is_broken = False

    async def cancel(self, exchange: Exchange, task_id: str) -> None:
        self.is_broken = True
        await exchange.result(self.answer)

    async def get_task(self, exchange: Exchange) -> None:
        if self.is_broken:
            await exchange.answer(b"broken", 500)
        else:
            await super().get_task(exchange)


class NewTaskForReply(CommandAgent):
    """Asks, and answers the reply with another task, which it completes.

    With `begins` it first says that the old task works on. "Ask again" makes it ask in
    the old task once more.
    """

    def __init__(self, context_id: str = "c1", begins: bool = False) -> None:
        super().__init__()
        self.context_id = context_id
        self.begins = begins

    async def send(self, exchange: Exchange, sent: Json) -> None:
        asked, text = sent.get("taskId", ""), sent["parts"][0]["text"]
        await exchange.head()
        if text == "Ask again":
            task = self.set_task(asked, ASKING, "Really?")
            await self.write(exchange, {"task": task})
        elif asked:
            await self.continue_with(exchange, asked, f"after-{asked}")
        else:
            task = self.set_task(sent["messageId"], ASKING, "Which one?")
            await self.write(exchange, {"task": task})

    async def continue_with(self, exchange: Exchange, asked: str, new: str) -> None:
        if self.begins:
            old = self.tasks[asked]
            update = {"taskId": asked, "contextId": "c1", "status": old["status"]}
            await self.write(exchange, {"statusUpdate": update})
        task = self.set_task(new, WORKING, "On it", contextId=self.context_id)
        await self.write(exchange, {"task": task})
        await asyncio.sleep(LATE_S)
        task = self.set_task(new, COMPLETED, "Booked")
        update = {"taskId": new, "status": task["status"]}
        await self.write(exchange, {"statusUpdate": update})

    async def until_ended(self, exchange: Exchange, task_id: str) -> None:
        await exchange.until_gone(PING_S)


class Fails(CommandAgent):
    """Answers each message with an error, until the text is "work"."""

    def __init__(self, answer: int, body: bytes = b"it broke") -> None:
        super().__init__()
        self.answer = answer
        self.body = body

    async def send(self, exchange: Exchange, sent: Json) -> None:
        if sent["parts"][0]["text"] == "work":
            await super().send(exchange, sent)
        elif self.answer < 0:
            await exchange.refuse(self.answer, "it broke")
        else:
            await exchange.answer(self.body, self.answer)


class Talks(CommandAgent):
    """Answers with several Messages, and with `works` with a task after them."""

    def __init__(self, works: bool = False) -> None:
        super().__init__()
        self.works = works

    async def send(self, exchange: Exchange, sent: Json) -> None:
        own = sent["messageId"]
        await exchange.head()
        for text in ("One moment", "Still here"):
            await self.write(exchange, {"message": message(f"{text} {own}")})
            await asyncio.sleep(LATE_S)
        if not self.works:
            return
        task = self.set_task(f"task-{own}", WORKING, "Looking")
        inside = message("Found it", taskId=task["id"])
        inside["parts"].append({"data": {"price": 7}})
        await self.write(exchange, {"task": task}, {"message": inside})
        task = self.set_task(task["id"], COMPLETED, "Done")
        update = {"taskId": task["id"], "status": task["status"]}
        await self.write(exchange, {"statusUpdate": update})


class RepeatsQuestion(CommandAgent):
    """Asks, and answers each reply with the question again, as a Message."""

    async def send(self, exchange: Exchange, sent: Json) -> None:
        await exchange.head()
        if asked := sent.get("taskId"):
            question = self.tasks[asked]["status"]["message"]
            same = question | {"taskId": asked, "contextId": "c1"}
            await self.write(exchange, {"message": same})
        else:
            task = self.set_task(sent["messageId"], ASKING, "Which one?")
            await self.write(exchange, {"task": task})

    async def until_ended(self, exchange: Exchange, task_id: str) -> None:
        await exchange.until_gone(PING_S)


def build_agents() -> dict[str, CommandAgent]:
    late = {"taskId": "x", "contextId": "c1", "status": {"state": CANCELED}}
    return {
        "cancelnull": CancelAnswers(None),
        "cancelempty": CancelAnswers(200),
        "cancelnocontent": CancelAnswers(204),
        "cancelstatus": CancelAnswers({"state": CANCELED}),
        "cancelupdate": CancelAnswers({"statusUpdate": late}),
        "cancelyes": CancelAnswers(True),
        "cancelerror": CancelAnswers("error"),
        "cancel500": CancelAnswers(500),
        "cancelslater": CancelsLater(),
        "endsstream": EndsStream(),
        "refuses": Refuses(),
        "forgets": ForgetsAnswer(None),
        "newtask": NewTaskForReply(),
        "newcontext": NewTaskForReply("c2"),
        "nocontext": NewTaskForReply(""),
        "begins": NewTaskForReply(begins=True),
        "fails500": Fails(500),
        "failsinside": Fails(-32603),
        "failspage": Fails(200, b"<html>It works!</html>"),
        "failsparams": Fails(-32602),
        "failstask": Fails(-32001),
        "fails401": Fails(401),
        "fails429": Fails(429),
        "talks": Talks(),
        "works": Talks(works=True),
        "repeats": RepeatsQuestion(),
    }


NAMES = tuple(build_agents())


async def main(port: int) -> None:
    agents = build_agents()

    async def handle(exchange: Exchange) -> None:
        await agents[exchange.name].handle(exchange)

    await serve(port, handle)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
