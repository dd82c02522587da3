// @ts-check
// Write what screen readers announce. Politely: counts, at most every 5 s. Assertively: a
// lost connection, a task that waits for the user, a failed task of this user. Pure.

import { plural } from './format.js';
import { agentTitle, rowText } from './labels.js';
import { countTotals, keyOf, listWaitingTasks, splitKey } from './selectors.js';
import { isFailed, isOpen } from './status.js';
/** @import { State, TaskEvent } from './types.d.ts' */

/** The feed may change hundreds of times a second. */
const INTERVAL_MS = 5_000;

export function createAnnouncer() {
  let polite = '';
  let assertive = '';
  let announced_at_ms = -Infinity;
  let phase = 'connecting';
  /** Keys of the tasks that waited at the last call. @type {Set<string>} */
  let waiting = new Set();

  /**
   * Return the texts of both live regions.
   * @param {State} state @param {number} now_ms
   * @param {Set<string>} [started_here] tasks of this user; finished ones are removed
   */
  return function announce(state, now_ms, started_here = new Set()) {
    if (state.link.phase !== phase) {
      if (state.link.phase === 'reconnecting') assertive = 'Connection lost.';
      else if (phase === 'reconnecting') assertive = 'Connected again.';
      phase = state.link.phase;
    }
    const tasks = listWaitingTasks(state);
    const added = tasks.find((task) => !waiting.has(keyOf(task)));
    waiting = new Set(tasks.map(keyOf));
    if (added) assertive = describe(state, 'needs you', added.row);
    for (const row of takeFinished(state, started_here)) {
      if (isFailed(row)) assertive = describe(state, 'failed', row);
    }
    if (now_ms - announced_at_ms >= INTERVAL_MS && state.epoch !== null) {
      const sum = countTotals(state);
      const next =
        `${sum.connected} of ${plural(sum.agents, 'agent')} connected, ` +
        `${sum.running} running, ${sum.waiting} waiting for you, ${sum.failed} failed.`;
      if (next !== polite) {
        polite = next;
        announced_at_ms = now_ms;
      }
    }
    return { polite, assertive };
  };
}

/** @param {State} state @param {string} verb @param {TaskEvent} row */
const describe = ({ agents }, verb, row) =>
  `${agentTitle(agents.get(row.agent), row.agent)} ${verb}: ${rowText(row, 'message')}`;

/** Remove finished tasks from the set, and return their rows. @param {State} state @param {Set<string>} keys */
function takeFinished({ agents }, keys) {
  return [...keys].flatMap((key) => {
    const { agent, task_id } = splitKey(key);
    const task = agents.get(agent)?.tasks.get(task_id);
    if (!task || isOpen(task.row)) return [];
    keys.delete(key);
    return task.row;
  });
}
