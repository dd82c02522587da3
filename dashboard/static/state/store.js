// @ts-check
// Owns the state: folds snapshots and events into agents, tasks and feed rows.
// board.js asks it questions; the views draw the answers. No DOM, no fetch, no clock.

import { lint, unseen } from './lint.js';

/**
 * @typedef {import('./types.d.ts').State} State
 * @typedef {import('./types.d.ts').Agent} Agent
 * @typedef {import('./types.d.ts').Task} Task
 * @typedef {import('./types.d.ts').AgentEvent} AgentEvent
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('./types.d.ts').Snapshot} Snapshot
 * @typedef {import('./types.d.ts').TaskEvent} TaskEvent
 */

/** Rows kept while the newest are watched; at 500 events/s some ten seconds. */
export const MAX_ROWS = 5_000;
/** Rows kept while somebody reads further back; what then still comes is only counted. */
export const MAX_ROWS_HELD = 50_000;
/** Cutting an array costs its length: cut rarely, this much at once. */
const TRIM_STEP = 500;
/** Finished tasks kept per agent; open ones are always kept. */
export const MAX_FINISHED = 500;

/** How long a finished task stays in front of older open ones: long enough to read. */
export const LINGER_MS = 6_000;
/** Events whose flaws are kept. */
const MAX_FLAWS = 2_000;

const FINISHED = new Set(['completed', 'error', 'cancelled', 'rejected']);
const FAILED = new Set(['error', 'rejected']);
const WAITING = new Set(['input-required', 'auth-required']);

/** @param {{ status: string }} row */
export const isOpen = (row) => !FINISHED.has(row.status);

/** @param {{ status: string }} row */
export const isFailed = (row) => FAILED.has(row.status);

/** Waits for a person. @param {{ status: string }} row */
export const isWaiting = (row) => WAITING.has(row.status);

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
    rate: { second: 0, counts: new Array(60).fill(0) },
    tasks_seen: 0,
    roster: 0,
    flaws: new Map(),
  };
}

/**
 * The agent of that name, made when an event is the first word of it.
 * @param {State} state @param {string} name @returns {Agent}
 */
function agentOf(state, name) {
  const known = state.agents.get(name);
  if (known) return known;
  /** @type {Agent} */
  const agent = {
    ...{ name, index: state.agents.size, row: null, tasks: new Map() },
    ...{ open: new Set(), ended: [], last: null, failed: 0 },
  };
  state.agents.set(name, agent);
  state.roster += 1;
  return agent;
}

/**
 * Replaces agents and tasks by the snapshot's. Feed rows stay when the snapshot only
 * repeats what is known, and go when the log is another or has moved on without us.
 * @param {State} state @param {Snapshot} snapshot
 */
export function applySnapshot(state, snapshot) {
  const before = state.agents;
  const sameLog = state.epoch === snapshot.epoch;
  state.agents = new Map();
  for (const row of snapshot.agents) agentOf(state, row.agent).row = row;
  for (const row of snapshot.tasks) {
    keepTask(state, row);
    const known = sameLog && before.get(row.agent)?.tasks.get(row.task_id);
    const task = state.agents.get(row.agent)?.tasks.get(row.task_id);
    if (known && task) task.first = known.first;
    if (known && task && known.row.status === row.status) task.seen = known.seen;
  }
  if (!sameLog || snapshot.id !== state.head) {
    clearRows(state);
    state.has_older = snapshot.id > 0;
  }
  state.epoch = snapshot.epoch;
  state.head = snapshot.id;
  state.reset_reason = snapshot.reset ? snapshot.reason : null;
}

/** All agents and tasks, as a host would tell them. @param {State} state @returns {Snapshot} */
export function snapshotOf({ epoch, head, agents }) {
  const all = [...agents.values()];
  const tasks = all.flatMap((agent) => [...agent.tasks.values()]);
  return {
    ...{ id: head, now: '', epoch: epoch ?? '', reset: false, reason: null },
    agents: all.flatMap(({ row }) => row ?? []),
    tasks: tasks.sort((a, b) => a.order - b.order).map(({ row }) => row),
  };
}

/**
 * Folds one live event. An event already folded changes nothing.
 * @param {State} state @param {FeedEvent} event @param {number} now_ms
 * @param {boolean} [held] whether somebody reads further back
 */
export function applyEvent(state, event, now_ms, held = false) {
  if (event.id <= state.head) return;
  state.head = event.id;
  if (held && state.rows.length >= MAX_ROWS_HELD) state.skipped += 1;
  else state.rows.push(event);
  if (!held && state.rows.length >= MAX_ROWS + TRIM_STEP) {
    state.rows.splice(0, state.rows.length - MAX_ROWS);
    state.has_older = true;
  }
  count(state, now_ms);
  const seen = note(state, event);
  if (event.kind === 'task') {
    keepTask(state, event, event, seen);
  } else if (event.kind === 'agent') {
    agentOf(state, event.agent).row = event;
    state.roster += 1;
  }
}

/** @param {State} state */
function clearRows(state) {
  state.rows = [];
  state.has_older = true;
  state.skipped = 0;
}

/** Where some were skipped the rows begin anew: the log has them all. @param {State} state */
export function catchUp(state) {
  if (state.skipped > 0) clearRows(state);
}

/**
 * Keeps what is wrong with an event, and forgets the oldest of too many. What is now
 * known of its task.
 * @param {State} state @param {FeedEvent} event
 */
function note(state, event) {
  if (!('task_id' in event)) return undefined;
  const seen = state.agents.get(event.agent)?.tasks.get(event.task_id)?.seen ?? unseen();
  const found = lint(seen, event);
  if (found.length > 0) state.flaws.set(event.id, found);
  const [oldest] = state.flaws.keys();
  if (state.flaws.size > MAX_FLAWS) state.flaws.delete(oldest);
  return seen;
}

/**
 * @param {State} state @param {TaskEvent} row
 * @param {TaskEvent | null} [first] the same row, where it may be the task's first
 * @param {import('./lint.js').Seen} [seen]
 */
function keepTask(state, row, first = null, seen = unseen(row)) {
  const agent = agentOf(state, row.agent);
  const { tasks, last } = agent;
  const known = tasks.get(row.task_id);
  const task = known ?? { row, order: ++state.tasks_seen, first, seen };
  if (known && isFailed(known.row)) agent.failed -= 1;
  if (isFailed(row)) agent.failed += 1;
  task.row = row;
  if (!last || row.received_at >= last.row.received_at) agent.last = task;
  if (isOpen(row)) {
    if (!known) tasks.set(row.task_id, task);
    agent.open.add(task);
  } else if (!known || agent.open.delete(task)) {
    end(agent, task);
  }
}

/**
 * Puts a task behind those that ended before it, and forgets the first of too many.
 * @param {Agent} agent @param {Task} task
 */
function end(agent, task) {
  const { tasks, ended } = agent;
  const { task_id, received_at } = task.row;
  tasks.delete(task_id);
  tasks.set(task_id, task);
  const at_ms = Date.parse(received_at);
  ended.push({ task, at_ms });
  const fresh = ended.findIndex((each) => each.at_ms >= at_ms - LINGER_MS);
  ended.splice(0, Math.max(0, fresh));
  if (tasks.size <= MAX_FINISHED) return;
  for (const [id, oldest] of tasks) {
    if (agent.open.has(oldest)) continue;
    tasks.delete(id);
    if (isFailed(oldest.row)) agent.failed -= 1;
    return;
  }
}

/**
 * Puts a page of the log before the rows. What is there already is not doubled.
 * @param {State} state @param {FeedEvent[]} events oldest first
 * @param {boolean} has_older whether the log may hold more before them
 */
export function addHistory(state, events, has_older) {
  const first = state.rows.length > 0 ? state.rows[0].id : state.head + 1;
  const older = events.filter((event) => event.id < first);
  state.rows = older.concat(state.rows);
  state.has_older = has_older && older.length > 0;
  for (const event of older) {
    if (event.kind !== 'task') continue;
    const task = state.agents.get(event.agent)?.tasks.get(event.task_id);
    // The earliest event in reach is the task's first only when it says so.
    const starts = event.status === 'submitted' || !state.has_older;
    if (task && starts) task.first ??= event;
  }
}

/** @param {State} state @param {number} now_ms */
function count(state, now_ms) {
  const { rate } = state;
  const second = Math.floor(now_ms / 1000);
  const skipped = Math.min(second - rate.second, rate.counts.length);
  for (let i = 0; i < skipped; i++) {
    rate.counts[(second - i) % rate.counts.length] = 0;
  }
  if (second > rate.second) rate.second = second;
  rate.counts[second % rate.counts.length] += 1;
}
