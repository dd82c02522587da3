"""A2A 1.0 over HTTP+JSON (section 11)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from a2a.utils.errors import MethodNotFoundError, TaskNotFoundError
from google.protobuf.message import Message

from .http_transport import HttpResponse
from .json_binding import JsonBinding
from .json_errors import error_in, from_http, from_status
from .operations import GET_TASK, SUBSCRIBE_BY_GET, SUBSCRIBE_TO_TASK, Operation
from .sse import Frame, too_large
from .types import Batch, Update
from .unreachable_errors import AgentError

Result = TypeVar("Result")


class HttpJson(JsonBinding):
    _subscribe_operations: tuple[Operation[Update], ...] = (
        SUBSCRIBE_TO_TASK,
        SUBSCRIBE_BY_GET,
    )

    async def subscribe(self, task_id: str, after: int | None) -> AsyncGenerator[Batch]:
        for operation in self._subscribe_operations:
            try:
                stream = self._stream(operation, {"id": task_id}, after)
                async with aclosing(stream):
                    async for batch in stream:
                        self._subscribe_operations = (operation,)
                        yield batch
                return
            except MethodNotFoundError:
                if operation is self._subscribe_operations[-1]:
                    raise

    def _base_url(self) -> str:
        tenant = f"/{quote(self._tenant, '')}" if self._tenant else ""
        return self._url.rstrip("/") + tenant

    def _path(self, operation: Operation[Any]) -> str:
        return operation.route.path

    def _encode(self, operation: Operation[Any], request: Message) -> httpx.Request:
        params = self._params(request)
        params.pop("tenant", None)
        path = self._path(operation).format(id=quote(params.pop("id", ""), ""))
        method, _, has_body = operation.route
        return self._build_request(
            method,
            self._base_url() + path,
            body=params if has_body else None,
            params=None if has_body else params or None,
        )

    def _read(self, operation: Operation[Result], item: Frame) -> Result:
        if item.data is None:
            raise too_large()
        try:
            return operation.read(self._upgrade(operation, item.data))
        except ValueError:
            # Some agents do not mark the event as an error.
            if refusal := from_status(item.data) or error_in(item.data):
                raise refusal from None
            if item.is_error:
                raise AgentError(item.data.decode(errors="replace")[:200]) from None
            raise

    def _error(self, operation: Operation[Any], response: HttpResponse) -> Exception:
        error = from_http(response.status, response.body)
        if operation is GET_TASK and isinstance(error, MethodNotFoundError):
            # Every agent has GetTask, so the task is missing.
            return TaskNotFoundError(str(error))
        return error
