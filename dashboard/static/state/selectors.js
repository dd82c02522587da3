// @ts-check
// Owns the questions to the state: which task is in front, who needs you, how many, how
// fast, which rows match. The views and the announcer use the answers. Pure.

import { LINGER_MS, isFailed, isOpen, isWaiting } from './store.js';

/**
 * @typedef {import('./types.d.ts').State} State
 * @typedef {import('./types.d.ts').Agent} Agent
 * @typedef {import('./types.d.ts').Task} Task
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 */

/** Silence after which a running task is called quiet. */
const QUIET_MS = 30_000;

/**
 * The task a card shows: the newest that is open or has just finished, else the last.
 * @param {Agent} agent @param {number} now_ms host clock @returns {Task | null}
 */
export function frontTask(agent, now_ms) {
  /** @type {Task | null} */
  let active = null;
  for (const task of agent.open) {
    if (!active || task.order > active.order) active = task;
  }
  for (const { task, at_ms } of agent.ended) {
    if (now_ms - at_ms < LINGER_MS && (!active || task.order > active.order)) active = task;
  }
  return active ?? agent.last;
}

/**
 * How soon somebody should look at an agent: needs you, failed, stale, running, idle.
 * @param {Agent} agent @param {number} now_ms host clock
 */
export function urgency(agent, now_ms) {
  for (const { row } of agent.open) if (isWaiting(row)) return 0;
  const front = frontTask(agent, now_ms);
  if (front && isFailed(front.row)) return 1;
  const { connection, trouble } = agent.row ?? {};
  if (connection !== 'connected' || trouble || (front && isQuiet(front, now_ms))) return 2;
  return agent.open.size > 0 ? 3 : 4;
}

/** Open tasks first, then the newest. @param {Agent} agent @returns {Task[]} */
export function tasksOf(agent) {
  return [...agent.tasks.values()].sort(
    (a, b) =>
      Number(isOpen(b.row)) - Number(isOpen(a.row)) || b.order - a.order,
  );
}

/**
 * Every task that the filter leaves, the finished first and then by age, the newest last:
 * as a list that is drawn from its end shows them.
 * @param {State} state @param {Filter & { pending: boolean }} filter
 */
export function allTasks(state, filter) {
  const tasks = [...state.agents.values()].flatMap(({ tasks }) => [...tasks.values()]);
  return tasks
    .filter(({ row }) => matches(row, filter) && !(filter.pending && row.status === 'completed'))
    .sort((a, b) => Number(isOpen(a.row)) - Number(isOpen(b.row)) || a.order - b.order);
}

/** Tasks that wait for a person, the longest waiting first. @param {State} state */
export function waitingTasks(state) {
  /** @type {Task[]} */
  const waiting = [];
  for (const agent of followedAgents(state)) {
    for (const task of agent.open) if (isWaiting(task.row)) waiting.push(task);
  }
  return waiting.sort((a, b) => a.order - b.order);
}

/**
 * The agents that the host follows. One that was removed stays in the state: its rows
 * in the feed still need its name and colour.
 * @param {State} state
 */
export const followedAgents = (state) =>
  [...state.agents.values()].filter(({ row }) => row?.connection !== 'removed');

/** What the top bar counts. @param {State} state */
export function totals(state) {
  const sum = { agents: 0, connected: 0, running: 0, waiting: 0, failed: 0 };
  for (const agent of followedAgents(state)) {
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

/** A running task that has said nothing for long. @param {Task} task @param {number} now_ms */
export const isQuiet = (task, now_ms) =>
  isOpen(task.row) &&
  !isWaiting(task.row) &&
  now_ms - Date.parse(task.row.received_at) > QUIET_MS;

/**
 * Events per second over the last five whole seconds.
 * @param {State} state @param {number} now_ms browser clock
 */
export function eventRate(state, now_ms) {
  const now = Math.floor(now_ms / 1000);
  let sum = 0;
  for (let ago = 1; ago <= 5; ago++) sum += countIn(state, now - ago);
  return sum / 5;
}

/**
 * Events in each whole second of the last minute, the oldest first.
 * @param {State} state @param {number} now_ms browser clock
 */
export function lastMinute(state, now_ms) {
  const now = Math.floor(now_ms / 1000);
  return Array.from({ length: 59 }, (_, i) => countIn(state, now - 59 + i));
}

/** @param {State} state @param {number} second */
function countIn({ rate }, second) {
  const kept = second <= rate.second && second > rate.second - rate.counts.length;
  return kept ? rate.counts[second % rate.counts.length] : 0;
}

/** @param {string} agent @param {string} id */
export const taskKey = (agent, id) => `${agent}/${id}`;

/**
 * @typedef {object} Filter
 * @property {ReadonlySet<string>} agents none means all
 * @property {string | null} task `agent/task_id`
 * @property {boolean} failed only what failed
 */

/** @param {Filter} filter */
export const isFiltering = (filter) =>
  filter.agents.size > 0 || filter.task !== null || filter.failed;

/**
 * The rows that match, oldest first, none after `until`.
 * @param {FeedEvent[]} rows @param {Filter} filter @param {number | null} until an id
 */
export function matchingRows(rows, filter, until) {
  const last = rows[rows.length - 1];
  const all = until === null || !last || last.id <= until;
  const upTo = all ? rows : rows.slice(0, countUpTo(rows, until));
  return isFiltering(filter) ? upTo.filter((row) => matches(row, filter)) : upTo;
}

/** @param {FeedEvent} row @param {Filter} filter */
export function matches(row, filter) {
  if (filter.agents.size > 0 && !filter.agents.has(row.agent)) return false;
  if (filter.task !== null) {
    if (!('task_id' in row) || taskKey(row.agent, row.task_id) !== filter.task) {
      return false;
    }
  }
  return !filter.failed || (row.kind === 'task' && isFailed(row));
}

/** How many of the rows, whose ids rise, are not after `id`. @param {FeedEvent[]} rows @param {number} id */
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
