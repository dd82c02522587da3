// @ts-check
// Answer the views' questions about the state: which task comes first, who waits for the
// user, how many events per second, which rows match the filter. Pure.

import { isFailed, isOpen, isWaiting, newsTimeOf } from './status.js';
import { LINGER_MS } from './store.js';
/** @import { Agent, FeedEvent, State, Task, TaskEvent } from './types.d.ts' */

/** @typedef {Pick<import('./ui.js').Filter, 'agents' | 'task' | 'failed'>} Filter */

/** A running task without updates for this long is called quiet. */
const QUIET_MS = 30_000;

/** @param {string} agent @param {string} id */
export const taskKey = (agent, id) => `${agent}/${id}`;

/** @param {Task} task */
export const keyOf = (task) => taskKey(task.row.agent, task.row.task_id);

/**
 * Split a task key. An agent's name has no slash, but a task id may have one.
 * @param {string} key `agent/task_id`
 */
export function splitKey(key) {
  const [agent] = key.split('/', 1);
  return { agent, task_id: key.slice(agent.length + 1) };
}

/**
 * Find the task that a card shows: the newest that is open or has just finished, else the
 * one with the latest event.
 * @param {Agent} agent @param {number} now_ms host clock @returns {Task | null}
 */
export function findFrontTask(agent, now_ms) {
  /** @type {Task | null} */
  let front = null;
  for (const task of agent.open) {
    if (!front || task.order > front.order) front = task;
  }
  for (const { task, at_ms } of agent.recently_ended) {
    if (now_ms - at_ms < LINGER_MS && (!front || task.order > front.order)) front = task;
  }
  return front ?? agent.last;
}

/**
 * Rank an agent by how soon the user should look at it: 0 waits for the user, 1 failed,
 * 2 has a problem, 3 runs, 4 is idle.
 * @param {Agent} agent @param {number} now_ms host clock
 */
export function rankUrgency(agent, now_ms) {
  for (const { row } of agent.open) if (isWaiting(row)) return 0;
  const front = findFrontTask(agent, now_ms);
  if (front && isFailed(front.row)) return 1;
  const { connection, trouble } = agent.row ?? {};
  if (connection !== 'connected' || trouble || (front && isQuiet(front, now_ms))) return 2;
  return agent.open.size > 0 ? 3 : 4;
}

/** List an agent's tasks: open ones first, then the newest. @param {Agent} agent */
export function listTasksOf(agent) {
  return [...agent.tasks.values()].sort(
    (a, b) => Number(isOpen(b.row)) - Number(isOpen(a.row)) || b.order - a.order,
  );
}

/**
 * List all tasks that match the filter, in the reverse of the order on the page: finished
 * tasks first, then by age.
 * @param {State} state @param {Filter & { pending: boolean }} filter
 */
export function listTasks(state, filter) {
  const tasks = [...state.agents.values()].flatMap(({ tasks }) => [...tasks.values()]);
  return tasks
    .filter(({ row }) => matchesFilter(row, filter) && !(filter.pending && row.status === 'completed'))
    .sort((a, b) => Number(isOpen(a.row)) - Number(isOpen(b.row)) || a.order - b.order);
}

/** List the tasks that wait for the user, the longest waiting first. @param {State} state */
export function listWaitingTasks(state) {
  /** @type {Task[]} */
  const waiting = [];
  for (const agent of listAgents(state)) {
    for (const task of agent.open) if (isWaiting(task.row)) waiting.push(task);
  }
  return waiting.sort((a, b) => a.order - b.order);
}

/**
 * List the agents that the host follows. Removed agents stay in the state, because the
 * feed's rows need their names and colours.
 * @param {State} state
 */
export const listAgents = (state) =>
  [...state.agents.values()].filter(({ row }) => row?.connection !== 'removed');

/** Count what the top bar shows. @param {State} state */
export function countTotals(state) {
  const sum = { agents: 0, connected: 0, running: 0, waiting: 0, failed: 0 };
  for (const agent of listAgents(state)) {
    sum.agents += 1;
    if (agent.row?.connection === 'connected') sum.connected += 1;
    sum.failed += agent.failed;
    for (const { row } of agent.open) {
      if (isWaiting(row)) sum.waiting += 1;
      else sum.running += 1;
    }
  }
  return sum;
}

/** @param {Task} task @param {number} now_ms host clock */
export const isQuiet = (task, now_ms) =>
  isOpen(task.row) &&
  !isWaiting(task.row) &&
  now_ms - Date.parse(newsTimeOf(task.row)) > QUIET_MS;

/**
 * Find the tasks around one: those that it continues, and that continue it, its parent, its
 * children, and those with the same context.
 * @param {State} state @param {TaskEvent} row
 */
export function findRelatedTasks(state, row) {
  /** @type {Record<'before' | 'after' | 'parents' | 'children' | 'siblings', Task[]>} */
  const related = { before: [], after: [], parents: [], children: [], siblings: [] };
  for (const agent of state.agents.values()) {
    for (const task of agent.tasks.values()) {
      const { task_id, parent_task_id, context_id, continues } = task.row;
      const is_same_agent = agent.name === row.agent;
      if (is_same_agent && task_id === row.task_id) continue;
      if (is_same_agent && task_id === row.continues) related.before.push(task);
      else if (is_same_agent && continues === row.task_id) related.after.push(task);
      else if (row.parent_task_id === task_id) related.parents.push(task);
      else if (parent_task_id === row.task_id) related.children.push(task);
      else if (context_id !== null && context_id === row.context_id) related.siblings.push(task);
    }
  }
  return related;
}

/**
 * Return events per second, averaged over the last five whole seconds.
 * @param {State} state @param {number} now_ms browser clock
 */
export function getEventRate(state, now_ms) {
  const counts = listEventCounts(state, now_ms).slice(-5);
  return counts.reduce((sum, count) => sum + count, 0) / counts.length;
}

/**
 * Return the events of each of the last 59 whole seconds, oldest first.
 * @param {State} state @param {number} now_ms browser clock
 */
export function listEventCounts({ rate }, now_ms) {
  const now = Math.floor(now_ms / 1000);
  return Array.from({ length: 59 }, (_, i) => {
    const second = now - 59 + i;
    const is_kept = second <= rate.second && second > rate.second - rate.counts.length;
    return is_kept ? rate.counts[second % rate.counts.length] : 0;
  });
}

/** @param {Filter} filter */
export const isFiltering = (filter) =>
  filter.agents.size > 0 || filter.task !== null || filter.failed;

/**
 * List the rows that match the filter, up to the event `until`, oldest first.
 * @param {FeedEvent[]} rows @param {Filter} filter @param {number | null} until an id
 */
export function listRows(rows, filter, until) {
  const last = rows[rows.length - 1];
  const all = until === null || !last || last.id <= until;
  const up_to = all ? rows : rows.slice(0, countUpTo(rows, until));
  return isFiltering(filter) ? up_to.filter((row) => matchesFilter(row, filter)) : up_to;
}

/** @param {FeedEvent} row @param {Filter} filter */
export function matchesFilter(row, filter) {
  if (filter.agents.size > 0 && !filter.agents.has(row.agent)) return false;
  if (filter.task !== null) {
    if (!('task_id' in row) || taskKey(row.agent, row.task_id) !== filter.task) return false;
  }
  return !filter.failed || (row.kind === 'task' && isFailed(row));
}

/** Count the rows up to `id`, by binary search. @param {FeedEvent[]} rows @param {number} id */
function countUpTo(rows, id) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].id <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
