"""Loads the board from the log: the saved board, then newer rows.

Damaged rows are left out, so that the host starts and every task goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from ..errors import LogDamaged
from ..log.contract import Log, Row
from ..model.board import Board
from ..model.event import decode
from ..model.filter import Filter
from ..observability.logfmt import Line

logger = logging.getLogger("courtside.feed")

ON_THE_BOARD = Filter(kind=frozenset({"task", "agent"}))


class BoardLoader:
    """`report` gets the damage that is found. `load` raises other LogErrors."""

    def __init__(
        self, board: Board, log: Log, report: Callable[[LogDamaged], None]
    ) -> None:
        self._board = board
        self._log = log
        self._report = report

    async def load(self) -> int:
        """Return the id of the last event in the saved board, else 0."""
        saved = at = await self._restore()
        # Rows are complete, so the last row of each task and agent is enough.
        while rows := await self._latest(at):
            for row in rows:
                self._board.fold(decode(row.body))
            at = rows[-1].id
        return saved

    async def _restore(self) -> int:
        try:
            event_id, board = await self._log.checkpoint() or (0, None)
            if board is not None:
                self._board.restore(board)
        except (LogDamaged, msgspec.DecodeError, UnicodeDecodeError) as error:
            logger.warning(Line(board="rebuilt", cause=error))
            return 0
        return event_id

    async def _latest(self, after: int) -> list[Row]:
        """Return the last rows of tasks and agents.

        The row before a damaged one takes its place, if the board has not seen it.
        """
        at = after
        while True:
            try:
                return await self._log.latest(at, ON_THE_BOARD)
            except LogDamaged as damage:
                if damage.event_id is None:
                    raise
                self._report(damage)
                at = damage.event_id
                row = await self._read_before(damage)
                if row and row.id > after:
                    self._board.fold(decode(row.body))

    async def _read_before(self, damage: LogDamaged) -> Row | None:
        """Return the last undamaged row of the agent or task before a damaged one."""
        if damage.agent is None:
            return None
        where = ON_THE_BOARD._replace(agent=frozenset([damage.agent]))
        if damage.task is not None:
            where = where._replace(task=frozenset([damage.task]))
        before = damage.event_id
        while before is not None:
            try:
                rows = await self._log.tail(before, 1, where)
                return rows[0] if rows else None
            except LogDamaged as earlier:
                before = earlier.event_id
        return None
