"""Owns planners, other people's code: imported at the start, asked when a plan runs.

What one says becomes a plan through the reader, as if it stood in courtside.toml.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from ..errors import ConfigError, CourtsideError
from ..observability.logfmt import Line
from .parser import PlanError, read_plan
from .plan import Json, Plan, Planner

logger = logging.getLogger("courtside.plans")

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
# A language model may well take half a minute.
PLANNER_S = 60.0


class PlannerFailed(CourtsideError):
    """No plan came of it: the planner broke, took too long, or its plan is wrong."""


def load(name: str, folder: Path | None = None) -> Planner:
    """Imports "my_module:my_function", also from `folder`.

    Raises ConfigError, a sentence without its subject, with what was raised as cause.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f'is {name!r}: name a function, "my_module:my_function"')
    if folder is not None and str(folder) not in sys.path:
        # Last: a file beside courtside.toml must not stand in for somebody's module.
        sys.path.append(str(folder))
    module, function = name.split(":")
    try:
        call: Any = reduce(getattr, function.split("."), import_module(module))
    except (Exception, SystemExit) as error:
        logger.exception(Line(planner=name, loading="failed"))
        raise ConfigError(
            f"is {name!r}, which cannot be imported: {_told(error)}"
        ) from error
    if not callable(call) or not _takes_two(call):
        raise ConfigError(
            f"is {name!r}, which is no function of two arguments: the text of the "
            "request and the agents"
        )
    return Planner(name, call)


async def made(
    plan: Plan,
    request: str,
    agents: Mapping[str, Json],
    timeout_s: float = PLANNER_S,
) -> Plan:
    """A plan with steps: `plan` itself, or what its planner makes of `request`.

    `agents` holds the card of each that is followed, as A2A writes it in JSON, by
    name. Raises PlannerFailed. A planner that takes too long in a thread of its own
    is left to itself.
    """
    planner = plan.planner
    if planner is None:
        return plan
    with anyio.move_on_after(timeout_s) as patience:
        answer = await _asked(planner, request, agents)
    if patience.cancelled_caught:
        raise PlannerFailed(
            f"the planner {planner.name} made no plan within {timeout_s:g} s"
        )
    table = _with_words_of(plan, answer)
    try:
        return read_plan(plan.key, table, agents)
    except PlanError as error:
        raise PlannerFailed(
            f"the planner {planner.name} made a plan that cannot be used: {error}"
        ) from error


async def _asked(planner: Planner, request: str, agents: Mapping[str, Json]) -> object:
    try:
        answer = await _in_a_thread(lambda: planner.call(request, agents))
        return await answer if inspect.isawaitable(answer) else answer
    except (Exception, SystemExit) as error:
        logger.exception(Line(planner=planner.name, planning="failed"))
        raise PlannerFailed(
            f"the planner {planner.name} broke: {_told(error)}"
        ) from error


async def _in_a_thread(call: Callable[[], object]) -> object:
    """A daemon's, not anyio's: one that hangs must not keep the host from ending."""
    future: Future[object] = Future()
    # From here on it cannot be cancelled, and nobody minds a late result.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(call())
        except StopIteration as error:
            # asyncio's futures cannot hold one.
            future.set_exception(RuntimeError(repr(error)))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="planner", daemon=True).start()
    return await asyncio.wrap_future(future)


def _with_words_of(plan: Plan, answer: object) -> object:
    if not isinstance(answer, Mapping):
        return answer
    return {**replace(plan, steps={}).table(), **answer}


def _takes_two(call: Any) -> bool:
    try:
        inspect.signature(call).bind("", {})
    except TypeError:
        return False
    except ValueError:
        # Some that are written in C do not tell.
        return True
    return True


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
