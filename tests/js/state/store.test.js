// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { isFailed, isOpen } from '../../../dashboard/static/state/status.js';
import {
  addOlderEvents,
  applyEvent,
  applySnapshot,
  createState,
  dropRowsAfterSkip,
  MAX_FINISHED,
  MAX_ROWS,
  MAX_ROWS_HELD,
  toSnapshot,
} from '../../../dashboard/static/state/store.js';
import { agent, snapshot, task } from '../support/events.js';

/** @param {import('../../../dashboard/static/state/types.d.ts').State} state */
const ids = (state) => state.rows.map((row) => row.id);

function stateAt10() {
  const state = createState();
  applySnapshot(state, snapshot({ id: 10, agents: [agent(1)] }));
  return state;
}

test('the last row of a task wins', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { progress: 25 }), 0);
  applyEvent(state, task(12, { progress: 50, message: 'Half way' }), 0);
  const row = state.agents.get('carly')?.tasks.get('t1')?.row;
  assert.equal(row?.progress, 50);
  assert.equal(row?.message, 'Half way');
  assert.deepEqual(ids(state), [11, 12]);
});

test('an event that is already folded changes nothing', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { progress: 50 }), 0);
  applyEvent(state, task(11, { progress: 50 }), 0);
  applyEvent(state, task(9, { progress: 10 }), 0);
  assert.deepEqual(ids(state), [11]);
  assert.equal(state.agents.get('carly')?.tasks.get('t1')?.row.progress, 50);
});

test('an event of an unknown agent adds the agent', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { agent: 'mallory' }), 0);
  assert.equal(state.agents.get('mallory')?.row, null);
  assert.equal(state.agents.get('mallory')?.index, 1);
});

test('the same task id at two agents is two tasks', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { progress: 10 }), 0);
  applyEvent(state, task(12, { agent: 'walter', progress: 90 }), 0);
  assert.equal(state.agents.get('carly')?.tasks.get('t1')?.row.progress, 10);
  assert.equal(state.agents.get('walter')?.tasks.get('t1')?.row.progress, 90);
});

test('a snapshot replaces agents and tasks, and keeps its reason', () => {
  const state = stateAt10();
  applyEvent(state, task(11), 0);
  applySnapshot(
    state,
    snapshot({
      id: 3,
      epoch: 'other',
      reset: true,
      reason: 'the log is not the one this cursor came from',
      agents: [agent(1, { agent: 'walter' })],
    }),
  );
  assert.deepEqual([...state.agents.keys()], ['walter']);
  assert.deepEqual(ids(state), []);
  assert.equal(state.head, 3);
  assert.equal(state.has_older, true);
  assert.match(state.reset_reason ?? '', /not the one/);
});

test('a snapshot at the same event keeps the rows', () => {
  const state = stateAt10();
  applyEvent(state, task(11), 0);
  applySnapshot(state, snapshot({ id: 11, agents: [agent(1)], tasks: [task(11)] }));
  assert.deepEqual(ids(state), [11]);
  assert.equal(state.agents.get('carly')?.tasks.get('t1')?.first?.id, 11);
});

test('the last snapshot says how many tasks it had no room for', () => {
  const state = stateAt10();
  assert.equal(state.tasks_left_out, 0);
  applySnapshot(state, snapshot({ id: 11, tasks_left_out: 20 }));
  assert.equal(state.tasks_left_out, 20);
  assert.equal(toSnapshot(state).tasks_left_out, 20);
  applySnapshot(state, snapshot({ id: 12 }));
  assert.equal(state.tasks_left_out, 0);
});

test('older events go before the rows, without duplicates', () => {
  const state = stateAt10();
  applyEvent(state, task(11), 0);
  addOlderEvents(state, [task(8), task(9), task(10), task(11)], true);
  addOlderEvents(state, [task(9), task(10)], true);
  assert.deepEqual(ids(state), [8, 9, 10, 11]);
  assert.equal(state.has_older, false);
});

test('a task found in older events gets its first event', () => {
  const state = createState();
  applySnapshot(state, snapshot({ id: 9, agents: [agent(1)], tasks: [task(9)] }));
  addOlderEvents(state, [task(7, { status: 'submitted' }), task(9)], true);
  assert.equal(state.agents.get('carly')?.tasks.get('t1')?.first?.id, 7);
});

test('an older event that is not the first of its task does not count as such', () => {
  const state = createState();
  applySnapshot(state, snapshot({ id: 9, agents: [agent(1)], tasks: [task(9)] }));
  addOlderEvents(state, [task(8), task(9)], true);
  assert.equal(state.agents.get('carly')?.tasks.get('t1')?.first, null);
});

test('memory stays bounded', () => {
  const state = stateAt10();
  for (let id = 11; id < 3 * MAX_ROWS; id++) applyEvent(state, task(id), id);
  assert.ok(state.rows.length < 1.2 * MAX_ROWS);
  assert.equal(state.rows.at(-1)?.id, 3 * MAX_ROWS - 1);
  assert.equal(state.has_older, true);
});

test('no row is dropped while the user reads older ones', () => {
  const state = stateAt10();
  for (let id = 11; id < 2 * MAX_ROWS; id++) applyEvent(state, task(id), id, true);
  assert.equal(state.rows[0].id, 11);
});

test('the oldest finished tasks are forgotten, but no open ones', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { task_id: 'open' }), 0);
  for (let n = 0; n < MAX_FINISHED + 50; n++) {
    applyEvent(state, task(12 + n, { task_id: `f${n}`, status: 'completed' }), 0);
  }
  const tasks = state.agents.get('carly')?.tasks;
  assert.equal(tasks?.size, MAX_FINISHED);
  assert.ok(tasks?.has('open'));
  assert.ok(!tasks?.has('f0'));
  assert.ok(tasks?.has(`f${MAX_FINISHED + 49}`));
});

test('while the user reads, events beyond the limit are counted and loaded later', () => {
  const state = stateAt10();
  for (let id = 11; id <= MAX_ROWS_HELD + 15; id++) {
    applyEvent(state, task(id, { message: `${id}` }), 0, true);
  }
  assert.equal(state.rows.length, MAX_ROWS_HELD);
  assert.equal(state.rows[0].id, 11);
  assert.equal(state.skipped, 5);
  assert.equal(state.agents.get('carly')?.tasks.get('t1')?.row.id, MAX_ROWS_HELD + 15);
  dropRowsAfterSkip(state);
  assert.deepEqual([state.rows, state.skipped, state.has_older], [[], 0, true]);
  applyEvent(state, task(MAX_ROWS_HELD + 16), 0);
  assert.equal(state.rows.length, 1);
});

test('a state survives a round trip through a snapshot', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { task_id: 'new' }), 0);
  applyEvent(state, task(12, { task_id: 'newer', status: 'completed' }), 0);
  const other = createState();
  applySnapshot(other, toSnapshot(state));
  assert.deepEqual(toSnapshot(other), toSnapshot(state));
  assert.equal(other.head, 12);
});

test('the first task to end is forgotten, not the first to start', () => {
  const state = stateAt10();
  applyEvent(state, task(11, { task_id: 'long' }), 0);
  for (let n = 0; n < MAX_FINISHED; n++) {
    applyEvent(state, task(12 + n, { task_id: `f${n}`, status: 'completed' }), 0);
  }
  applyEvent(state, task(9_000, { task_id: 'long', status: 'completed' }), 0);
  const tasks = state.agents.get('carly')?.tasks;
  assert.ok(tasks?.has('long'));
  assert.ok(!tasks?.has('f0'));
});

test('running counts equal a count of all tasks', () => {
  const state = stateAt10();
  const words = ['submitted', 'running', 'input-required', 'error', 'completed', 'rejected'];
  for (let n = 0; n < 5 * MAX_FINISHED; n++) {
    const status = words[(n * 7 + (n >> 3)) % words.length];
    applyEvent(state, task(11 + n, { task_id: `t${(n * 13) % 1_700}`, status }), 0);
  }
  const carly = state.agents.get('carly');
  assert.ok(carly);
  const all = [...carly.tasks.values()];
  assert.ok(all.length > MAX_FINISHED);
  assert.deepEqual(new Set(all.filter(({ row }) => isOpen(row))), carly.open);
  assert.equal(all.filter(({ row }) => isFailed(row)).length, carly.failed);
});
