// @ts-check
// Fold snapshots and events into the state: agents, tasks and feed rows.
// Pure: no DOM, no fetch, no clock. selectors.js reads the state.

import { lintEvent, newLintState } from './lint.js';
import { isFailed, isOpen } from './status.js';
/** @import { Agent, FeedEvent, Snapshot, State, Task, TaskEvent } from './types.d.ts' */
/** @import { LintState } from './lint.js' */

/** Rows kept while the user watches the newest; ten seconds at 500 events/s. */
export const MAX_ROWS = 5_000;
/** Rows kept while the user reads older ones. Later events are only counted. */
export const MAX_ROWS_HELD = 50_000;
/** Cutting an array costs its whole length, so it happens once per this many rows. */
const TRIM_STEP = 500;
/** Finished tasks kept per agent. Open tasks are always kept. */
export const MAX_FINISHED = 500;
/** How long a finished task stays in front of older open ones: long enough to read. */
export const LINGER_MS = 6_000;
/** Events whose flaws are kept. */
const MAX_FLAWS = 2_000;

/** @returns {State} */
export function createState() {
  return {
    epoch: null,
    head: 0,
    link: { phase: 'connecting', attempt: 0, retry_at_ms: null, lost_at_ms: null, skew_ms: 0 },
    fault: null,
    agents: new Map(),
    rows: [],
    has_older: false,
    skipped: 0,
    reset_reason: null,
    tasks_left_out: 0,
    rate: { second: 0, counts: new Array(60).fill(0) },
    task_count: 0,
    roster_version: 0,
    flaws: new Map(),
  };
}

/**
 * Return the agent of that name, and add it if it is new.
 * @param {State} state @param {string} name @returns {Agent}
 */
function ensureAgent(state, name) {
  const known = state.agents.get(name);
  if (known) return known;
  /** @type {Agent} */
  const agent = {
    name,
    index: state.agents.size,
    row: null,
    tasks: new Map(),
    open: new Set(),
    recently_ended: [],
    last: null,
    failed: 0,
  };
  state.agents.set(name, agent);
  state.roster_version += 1;
  return agent;
}

/**
 * Replace agents and tasks by the snapshot's. Keep the feed rows only if the snapshot is at
 * the same event of the same log.
 * @param {State} state @param {Snapshot} snapshot
 */
export function applySnapshot(state, snapshot) {
  const before = state.agents;
  const isSameLog = state.epoch === snapshot.epoch;
  state.agents = new Map();
  for (const row of snapshot.agents) ensureAgent(state, row.agent).row = row;
  for (const row of snapshot.tasks) {
    putTask(state, row);
    const known = isSameLog && before.get(row.agent)?.tasks.get(row.task_id);
    const task = state.agents.get(row.agent)?.tasks.get(row.task_id);
    if (!known || !task) continue;
    task.first = known.first;
    if (known.row.status === row.status) task.lint_state = known.lint_state;
  }
  if (!isSameLog || snapshot.id !== state.head) {
    clearRows(state);
    state.has_older = snapshot.id > 0;
  }
  state.epoch = snapshot.epoch;
  state.head = snapshot.id;
  state.reset_reason = snapshot.reset ? snapshot.reason : null;
  state.tasks_left_out = snapshot.tasks_left_out ?? 0;
}

/**
 * Build a snapshot of all agents and tasks, as the host would send it.
 * @param {State} state @returns {Snapshot}
 */
export function toSnapshot({ epoch, head, agents, tasks_left_out }) {
  const all = [...agents.values()];
  const tasks = all.flatMap((agent) => [...agent.tasks.values()]);
  return {
    id: head,
    now: '',
    epoch: epoch ?? '',
    reset: false,
    reason: null,
    agents: all.flatMap(({ row }) => row ?? []),
    tasks: tasks.sort((a, b) => a.order - b.order).map(({ row }) => row),
    tasks_left_out,
  };
}

/**
 * Fold one live event. Ignore events that are already folded.
 * @param {State} state @param {FeedEvent} event @param {number} now_ms
 * @param {boolean} [is_held] true while the user reads older rows
 */
export function applyEvent(state, event, now_ms, is_held = false) {
  if (event.id <= state.head) return;
  state.head = event.id;
  if (is_held && state.rows.length >= MAX_ROWS_HELD) state.skipped += 1;
  else state.rows.push(event);
  if (!is_held && state.rows.length >= MAX_ROWS + TRIM_STEP) {
    state.rows.splice(0, state.rows.length - MAX_ROWS);
    state.has_older = true;
  }
  countEvent(state, now_ms);
  const lint_state = keepFlaws(state, event);
  if (event.kind === 'task') {
    putTask(state, event, event, lint_state);
  } else if (event.kind === 'agent') {
    ensureAgent(state, event.agent).row = event;
    state.roster_version += 1;
  }
}

/** @param {State} state */
function clearRows(state) {
  state.rows = [];
  state.has_older = true;
  state.skipped = 0;
}

/** Empty the rows if some were skipped after them: the log has all. @param {State} state */
export function dropRowsAfterSkip(state) {
  if (state.skipped > 0) clearRows(state);
}

/**
 * Lint an event and keep what is wrong with it. Return the lint state of its task.
 * @param {State} state @param {FeedEvent} event
 */
function keepFlaws(state, event) {
  if (!('task_id' in event)) return undefined;
  const task = state.agents.get(event.agent)?.tasks.get(event.task_id);
  const lint_state = task?.lint_state ?? newLintState();
  const flaws = lintEvent(lint_state, event);
  if (flaws.length > 0) state.flaws.set(event.id, flaws);
  const [oldest] = state.flaws.keys();
  if (state.flaws.size > MAX_FLAWS) state.flaws.delete(oldest);
  return lint_state;
}

/**
 * @param {State} state @param {TaskEvent} row
 * @param {TaskEvent | null} [first] the same row, if it may be the task's first
 * @param {LintState} [lint_state]
 */
function putTask(state, row, first = null, lint_state = newLintState(row)) {
  const agent = ensureAgent(state, row.agent);
  const { tasks, last } = agent;
  const known = tasks.get(row.task_id);
  const task = known ?? { row, order: ++state.task_count, first, lint_state };
  if (known && isFailed(known.row)) agent.failed -= 1;
  if (isFailed(row)) agent.failed += 1;
  task.row = row;
  if (!last || row.received_at >= last.row.received_at) agent.last = task;
  if (isOpen(row)) {
    if (!known) tasks.set(row.task_id, task);
    agent.open.add(task);
  } else if (!known || agent.open.delete(task)) {
    endTask(agent, task);
  }
}

/**
 * Move a task behind those that ended before it, and forget the oldest beyond the limit.
 * @param {Agent} agent @param {Task} task
 */
function endTask(agent, task) {
  const { tasks, recently_ended } = agent;
  const { task_id, received_at } = task.row;
  tasks.delete(task_id);
  tasks.set(task_id, task);
  const at_ms = Date.parse(received_at);
  recently_ended.push({ task, at_ms });
  const recent = recently_ended.findIndex((each) => each.at_ms >= at_ms - LINGER_MS);
  recently_ended.splice(0, Math.max(0, recent));
  if (tasks.size <= MAX_FINISHED) return;
  for (const [id, oldest] of tasks) {
    if (agent.open.has(oldest)) continue;
    tasks.delete(id);
    if (isFailed(oldest.row)) agent.failed -= 1;
    return;
  }
}

/**
 * Put a page of the log before the rows, without duplicates.
 * @param {State} state @param {FeedEvent[]} events oldest first
 * @param {boolean} has_older true if the log may hold more before them
 */
export function addOlderEvents(state, events, has_older) {
  const first = state.rows.length > 0 ? state.rows[0].id : state.head + 1;
  const older = events.filter((event) => event.id < first);
  state.rows = older.concat(state.rows);
  state.has_older = has_older && older.length > 0;
  for (const event of older) {
    if (event.kind !== 'task') continue;
    const task = state.agents.get(event.agent)?.tasks.get(event.task_id);
    // A task may have started before the events that are loaded.
    const is_first = event.status === 'submitted' || !state.has_older;
    if (task && is_first) task.first ??= event;
  }
}

/** @param {State} state @param {number} now_ms */
function countEvent(state, now_ms) {
  const { rate } = state;
  const second = Math.floor(now_ms / 1000);
  const skipped = Math.min(second - rate.second, rate.counts.length);
  for (let i = 0; i < skipped; i++) {
    rate.counts[(second - i) % rate.counts.length] = 0;
  }
  if (second > rate.second) rate.second = second;
  rate.counts[second % rate.counts.length] += 1;
}
