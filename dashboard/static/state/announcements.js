// @ts-check
// Owns what a screen reader is told: counts now and then; at once a lost connection, a
// task that needs you, and one of yours that failed. main.js puts the words into the two live regions. Pure.

import { totals, waitingTasks } from './selectors.js';
import { plural } from './format.js';
import { isFailed, isOpen } from './store.js';
import { keyOf } from './ui.js';
import { agentTitle } from './labels.js';

/** @typedef {import('./types.d.ts').State} State */

/** The feed may move hundreds of times a second; ears do not. */
const QUIET_MS = 5_000;

export function createAnnouncer() {
  let polite = '';
  let assertive = '';
  let said_at_ms = -Infinity;
  let phase = 'connecting';
  /** @type {Set<string>} */
  let asked = new Set();

  /**
   * What both regions should say now.
   * @param {State} state @param {number} now_ms
   * @param {Set<string>} [mine] tasks that were started here; loses those that are over
   */
  return function announce(state, now_ms, mine = new Set()) {
    if (state.link.phase !== phase) {
      if (state.link.phase === 'reconnecting') assertive = 'Connection lost.';
      else if (phase === 'reconnecting') assertive = 'Connected again.';
      phase = state.link.phase;
    }
    const waiting = waitingTasks(state);
    const fresh = waiting.filter((task) => !asked.has(keyOf(task)));
    asked = new Set(waiting.map(keyOf));
    if (fresh.length > 0) {
      const { row } = fresh[0];
      const who = agentTitle(state.agents.get(row.agent), row.agent);
      assertive = `${who} needs you: ${row.message ?? ''}`;
    }
    for (const row of over(state, mine)) {
      if (isFailed(row)) {
        assertive = `${agentTitle(state.agents.get(row.agent), row.agent)} failed: ${row.message ?? ''}`;
      }
    }
    if (now_ms - said_at_ms >= QUIET_MS && state.epoch !== null) {
      const sum = totals(state);
      const next =
        `${sum.connected} of ${plural(sum.agents, 'agent')} connected, ` +
        `${sum.running} running, ${sum.waiting} waiting for you, ${sum.failed} failed.`;
      if (next !== polite) {
        polite = next;
        said_at_ms = now_ms;
      }
    }
    return { polite, assertive };
  };
}

/** Takes those that are over out of `mine`. @param {State} state @param {Set<string>} mine */
function over({ agents }, mine) {
  return [...mine].flatMap((key) => {
    const [agent] = key.split('/', 1);
    const task = agents.get(agent)?.tasks.get(key.slice(agent.length + 1));
    if (!task || isOpen(task.row)) return [];
    mine.delete(key);
    return task.row;
  });
}
