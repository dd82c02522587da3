"""Calls ListTasks, with the parameters that the agent accepts."""

from __future__ import annotations

from a2a.utils.errors import A2AError, InvalidParamsError

from ..errors import AgentUnreachable
from .bindings.base import Binding
from .bindings.types import ListDetail, Page, Query

BAD_PARAMETERS = (400, 422)


class ListTasksFailed(AgentUnreachable):
    """ListTasks fails, and perhaps nothing else. The message is the reason."""

    is_lasting: bool = False
    """Whether the next call will fail too."""


class TaskList:
    """Belongs to one binding. Every call raises what the binding raises."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._detail = ListDetail.FULL

    async def request(self, query: Query) -> Page:
        """Return one page. Ask with fewer parameters if the agent refuses some."""
        while True:
            try:
                return await self._binding.list_tasks(
                    query._replace(detail=self._detail)
                )
            except (InvalidParamsError, AgentUnreachable) as error:
                is_refused = (
                    isinstance(error, InvalidParamsError)
                    or error.agent_status in BAD_PARAMETERS
                )
                # A token may have expired: that says nothing about parameters.
                if not is_refused or query.page_token or self._is_least:
                    raise
                self._detail = ListDetail(self._detail + 1)

    @property
    def _is_least(self) -> bool:
        return self._detail is ListDetail.LEAST


def describe_failure(error: A2AError | AgentUnreachable) -> ListTasksFailed:
    failure = ListTasksFailed(str(error))
    if isinstance(error, AgentUnreachable):
        failure.agent_status = error.agent_status
        failure.is_absent = error.is_absent
    return failure
