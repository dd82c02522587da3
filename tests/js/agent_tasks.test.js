// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { buildLastRow, getChoices } from '../../agents/static/agent.js';
import {
  addRow,
  countOthers,
  createState,
  getSelected,
  isFinished,
  selectOwn,
} from '../../agents/static/tasks.js';

/**
 * @param {string} task_id @param {string} [status] @param {string} [message]
 * @returns {import('../../agents/static/tasks.js').Row}
 */
const row = (task_id, status = 'running', message = '…') => ({
  task_id,
  status,
  progress: null,
  message,
});

/** @param {...import('../../agents/static/tasks.js').Row} rows */
function createWith(...rows) {
  const state = createState();
  rows.forEach((each, at_ms) => addRow(state, each, at_ms));
  return state;
}

test('the first task stays selected while it is open', () => {
  const state = createWith(row('a'), row('b'), row('a', 'input-required'), row('b'));
  assert.equal(state.selectedId, 'a');
  assert.equal(countOthers(state), 1);
});

test('a new task replaces a finished selected task, an old one does not', () => {
  const state = createWith(row('a'), row('b'), row('a', 'completed'), row('b'));
  assert.equal(state.selectedId, 'a');
  addRow(state, row('c'), 9);
  assert.equal(state.selectedId, 'c');
});

test('a task that this page started stays selected after its end', () => {
  const state = createWith(row('a'));
  selectOwn(state, 'mine');
  for (const each of [row('mine'), row('mine', 'completed'), row('b')]) addRow(state, each, 9);
  assert.equal(getSelected(state)?.row.status, 'completed');
});

test('messages that arrive before the answer to the start are kept', () => {
  const state = createWith(row('other'), row('mine', 'running', 'early'));
  selectOwn(state, 'mine');
  assert.deepEqual(getSelected(state)?.messages, [{ text: 'early', at_ms: 1 }]);
});

test('a repeated message and an empty message add no line', () => {
  const tick = { task_id: 'a', status: 'running', progress: 5, message: null };
  const state = createWith(row('a', 'running', 'one'), row('a', 'running', 'one'), tick);
  addRow(state, row('a', 'running', 'two'), 9);
  const texts = getSelected(state)?.messages.map(({ text }) => text);
  assert.deepEqual(texts, ['one', 'two']);
});

test('finished tasks and old messages are dropped', () => {
  const state = createWith(row('open'));
  for (let n = 0; n < 500; n += 1) {
    addRow(state, row(`t${n}`, 'completed'), n);
    addRow(state, row('open', 'running', `words ${n}`), n);
  }
  assert.ok(state.tasks.size <= 101);
  assert.equal(getSelected(state)?.messages.length, 100);
  assert.equal(getSelected(state)?.messages.at(-1)?.text, 'words 499');
});

test('a finished task gives its last row', () => {
  const done = {
    id: 'a',
    contextId: 'c',
    status: { state: 'TASK_STATE_COMPLETED', message: { parts: [{ text: 'Done.' }] } },
    artifacts: [{ parts: [{ text: 'one' }, { data: {} }] }, { parts: [{ text: 'two' }] }],
  };
  const last = buildLastRow(done);
  assert.ok(last && isFinished(last));
  assert.deepEqual(last, {
    task_id: 'a',
    status: 'completed',
    progress: 100,
    result: 'one\ntwo',
  });
  const open = { ...done, status: { state: 'TASK_STATE_WORKING' } };
  assert.equal(buildLastRow(open), null);
});

test('only choices that are texts are used', () => {
  const question = (/** @type {any} */ data) => ({
    id: 'a',
    contextId: 'c',
    status: { state: 'x', message: { parts: [{ text: '?' }, { data }] } },
  });
  assert.deepEqual(getChoices(question({ choices: ['Send', 3, "Don't"] })), ['Send', "Don't"]);
  assert.deepEqual(getChoices(question({ choices: 'no list' })), []);
  assert.deepEqual(getChoices({ id: 'a', contextId: 'c', status: { state: 'x' } }), []);
});
