// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { applyEvent, createState } from '../../../dashboard/static/state/store.js';
import {
  createUi,
  isPending,
  MAX_CARDS,
  readFilter,
  settlePending,
  sortAgents,
  writeFilter,
} from '../../../dashboard/static/state/ui.js';
import { agent, at, task } from '../support/events.js';

test('a filter survives a round trip through the URL', () => {
  for (const search of [
    '',
    '?agent=carly',
    '?agent=carly&agent=walter',
    '?agent=a+%26+b&task=carly%2Ft1',
    '?failed',
    '?tab=tasks&failed&pending',
    '?tab=timeline&agent=carly',
  ]) {
    assert.equal(writeFilter(readFilter(search)), search);
  }
});

/** @param {import('../../../dashboard/static/state/ui.js').Pending['verb']} verb @param {unknown} row */
function clickOn(verb, row = null) {
  const ui = createUi('');
  const task_id = verb === 'retry' ? null : 't1';
  ui.pending.set(`${verb}:x`, { verb, agent: 'carly', task_id, row, at_ms: 0 });
  return ui;
}

test('a stop is pending until the task has ended', () => {
  const state = createState();
  const ui = clickOn('stop');
  applyEvent(state, task(1), 0);
  settlePending(ui, state, 1);
  assert.ok(isPending(ui, 'stop', 'x'));
  applyEvent(state, task(2, { status: 'cancelled' }), 0);
  settlePending(ui, state, 1);
  assert.ok(!isPending(ui, 'stop', 'x'));
  assert.equal(ui.errors.size, 0);
});

test('a start is pending until the task appears', () => {
  const state = createState();
  const ui = clickOn('start');
  settlePending(ui, state, 1);
  assert.ok(isPending(ui, 'start', 'x'));
  applyEvent(state, task(1), 0);
  settlePending(ui, state, 1);
  assert.ok(!isPending(ui, 'start', 'x'));
});

test('a reply is pending until the task continues or asks again', () => {
  for (const status of ['running', 'input-required']) {
    const state = createState();
    applyEvent(state, task(1, { status: 'input-required' }), 0);
    const ui = clickOn('reply', state.agents.get('carly')?.tasks.get('t1')?.row);
    settlePending(ui, state, 1);
    assert.ok(isPending(ui, 'reply', 'x'));
    applyEvent(state, task(2, { status }), 0);
    settlePending(ui, state, 1);
    assert.ok(!isPending(ui, 'reply', 'x'));
  }
});

test('a retry is pending until an event of the agent arrives', () => {
  const state = createState();
  applyEvent(state, agent(1, { connection: 'lost' }), 0);
  const ui = clickOn('retry', state.agents.get('carly')?.row);
  settlePending(ui, state, 1);
  assert.ok(isPending(ui, 'retry', 'x'));
  applyEvent(state, agent(2), 0);
  settlePending(ui, state, 1);
  assert.ok(!isPending(ui, 'retry', 'x'));
});

test('a click without an event times out', () => {
  const state = createState();
  const ui = clickOn('stop');
  applyEvent(state, task(1), 0);
  settlePending(ui, state, 60_000);
  assert.ok(!isPending(ui, 'stop', 'x'));
  assert.match(ui.errors.get('stop:x') ?? '', /not confirmed/);
});

test('a removal is pending until the agent is removed', () => {
  const state = createState();
  applyEvent(state, agent(1), 0);
  const ui = clickOn('remove');
  applyEvent(state, agent(2, { connection: 'lost' }), 0);
  settlePending(ui, state, 1);
  assert.ok(isPending(ui, 'remove', 'x'));
  applyEvent(state, agent(3, { connection: 'removed' }), 0);
  settlePending(ui, state, 1);
  assert.ok(!isPending(ui, 'remove', 'x'));
});

test('many agents are sorted by urgency, but not while the user points at one', () => {
  const state = createState();
  const ui = createUi('');
  let id = 0;
  const names = Array.from({ length: MAX_CARDS + 1 }, (_, at) => `a${at}`);
  for (const name of names) applyEvent(state, agent(++id, { agent: name }), 0);
  const addTask = (/** @type {string} */ name, /** @type {string} */ status) =>
    applyEvent(state, task(++id, { agent: name, status }), 0);
  const order = (held = false) =>
    sortAgents(ui, state, Date.parse(at(id)), () => held).map(({ name }) => name);
  assert.deepEqual(order(), names);
  applyEvent(state, agent(++id, { agent: 'a3', connection: 'lost' }), 0);
  addTask('a2', 'running');
  addTask('a8', 'error');
  addTask('a5', 'input-required');
  assert.deepEqual(order(true), names);
  assert.deepEqual(order().slice(0, 5), ['a5', 'a8', 'a3', 'a2', 'a0']);
  applyEvent(state, agent(++id, { agent: 'a0', connection: 'removed' }), 0);
  assert.deepEqual(order(), names.slice(1));
});
