"""Imports planners, which are functions of the user, and calls them.

A planner's table is checked in the same way as a plan in courtside.toml.
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
from functools import partial, reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from ..errors import ConfigError, CourtsideError
from ..observability.logfmt import Line
from .parser import PlanError, parse_plan
from .plan import Agents, Plan, Planner

logger = logging.getLogger("courtside.plans")

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
PLANNER_TIMEOUT_S = 60.0  # A language model may need half a minute.


class PlannerFailed(CourtsideError):
    """The planner raised an error, took too long, or returned a wrong plan."""


def load_planner(name: str, folder: Path | None = None) -> Planner:
    """Import "my_module:my_function", also from `folder`.

    Raises ConfigError with a sentence without its subject. Its cause is the error that
    the module raised.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f'is {name!r}: use the form "my_module:my_function"')
    if folder is not None and str(folder) not in sys.path:
        # Last, so that no file beside courtside.toml replaces an installed module.
        sys.path.append(str(folder))
    module, function = name.split(":")
    try:
        call: Any = reduce(getattr, function.split("."), import_module(module))
    except (Exception, SystemExit) as error:
        logger.exception(Line(planner=name, loading="failed"))
        raise ConfigError(
            f"is {name!r}, which cannot be imported: {_describe(error)}"
        ) from error
    if not callable(call) or not _takes_two_arguments(call):
        raise ConfigError(
            f"is {name!r}, which is not a function of two arguments: the text of the "
            "request, and the agents"
        )
    return Planner(name, call)


async def ensure_steps(
    plan: Plan, request: str, agents: Agents, timeout_s: float = PLANNER_TIMEOUT_S
) -> Plan:
    """Return `plan` itself if it has steps, or else a plan with its planner's steps.

    Raises PlannerFailed. A planner that takes too long keeps its thread.
    """
    planner = plan.planner
    if planner is None:
        return plan
    with anyio.move_on_after(timeout_s) as scope:
        table = await _call(planner, request, agents)
    if scope.cancelled_caught:
        raise PlannerFailed(
            f"the planner {planner.name} returned no plan within {timeout_s:g} s"
        )
    if isinstance(table, Mapping):
        table = {**plan.to_table(), **table}
    try:
        return parse_plan(plan.key, table, agents)
    except PlanError as error:
        raise PlannerFailed(
            f"the planner {planner.name} returned an invalid plan: {error}"
        ) from error


async def _call(planner: Planner, request: str, agents: Agents) -> object:
    try:
        result = await _run_in_daemon_thread(partial(planner.call, request, agents))
        return await result if inspect.isawaitable(result) else result
    except (Exception, SystemExit) as error:
        logger.exception(Line(planner=planner.name, planning="failed"))
        raise PlannerFailed(
            f"the planner {planner.name} failed: {_describe(error)}"
        ) from error


async def _run_in_daemon_thread(call: Callable[[], object]) -> object:
    """Unlike anyio's threads, a daemon thread that hangs lets the host end."""
    future: Future[object] = Future()
    future.set_running_or_notify_cancel()  # From now on it cannot be cancelled.

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


def _takes_two_arguments(call: Any) -> bool:
    try:
        inspect.signature(call).bind("", {})
    except TypeError:
        return False
    except ValueError:
        return True  # Some functions in C have no signature.
    return True


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
