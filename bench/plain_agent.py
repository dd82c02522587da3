"""The plain agent of the agents benchmark, written like the SDK's own examples.

Run it with `python -m bench.plain_agent PORT`. The text of a message is the number of
updates of its task.
"""

from __future__ import annotations

import sys

import uvicorn
from a2a.helpers.proto_helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Task,
    TaskState,
    TaskStatus,
)
from starlette.applications import Starlette


class PlainExecutor(AgentExecutor):
    """Sends a message in every update, without any optimization."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task_id, context_id = str(context.task_id), str(context.context_id)
        task = Task(
            id=task_id,
            context_id=context_id,
            status=TaskStatus(state=TaskState.TASK_STATE_SUBMITTED),
            history=[context.message] if context.message else [],
        )
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task_id, context_id)
        for number in range(int(context.get_user_input())):
            message = updater.new_agent_message([new_text_part(f"Step {number}…")])
            await updater.update_status(TaskState.TASK_STATE_WORKING, message)
        await updater.add_artifact([new_text_part("Done.")], name="result")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


def plain_app(port: int) -> Starlette:
    card = AgentCard(
        name="Plain",
        description="Sends many updates.",
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(
                url=f"http://127.0.0.1:{port}",
                protocol_binding="HTTP+JSON",
                protocol_version="1.0",
            )
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="words", name="Words", description="Sends.", tags=["x"])],
    )
    handler = DefaultRequestHandler(
        agent_executor=PlainExecutor(),
        task_store=InMemoryTaskStore(),
        agent_card=card,
    )
    routes = [*create_agent_card_routes(card), *create_rest_routes(handler)]
    return Starlette(routes=routes)


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(plain_app(port), port=port, access_log=False, log_level="error")
