// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { choicesOf, lastRow } from '../../agents/static/agent.js';
import {
  claim,
  createStage,
  isFinished,
  onStage,
  others,
  take,
} from '../../agents/static/stage.js';

/**
 * @param {string} task_id @param {string} [status] @param {string} [message]
 * @returns {import('../../agents/static/stage.js').Row}
 */
const row = (task_id, status = 'running', message = '…') => ({
  task_id,
  status,
  progress: null,
  message,
});

/** @param {...import('../../agents/static/stage.js').Row} rows */
function staged(...rows) {
  const stage = createStage();
  rows.forEach((each, at_ms) => take(stage, each, at_ms));
  return stage;
}

test('the first task takes the stage and keeps it while it plays', () => {
  const stage = staged(row('a'), row('b'), row('a', 'input-required'), row('b'));
  assert.equal(stage.shown, 'a');
  assert.equal(others(stage), 1);
});

test('a new task takes the stage from one that is over, an old one does not', () => {
  const stage = staged(row('a'), row('b'), row('a', 'completed'), row('b'));
  assert.equal(stage.shown, 'a');
  take(stage, row('c'), 9);
  assert.equal(stage.shown, 'c');
});

test('what this page started stays on stage, also when it is over', () => {
  const stage = staged(row('a'));
  claim(stage, 'mine');
  for (const each of [row('mine'), row('mine', 'completed'), row('b')]) take(stage, each, 9);
  assert.equal(onStage(stage)?.row.status, 'completed');
});

test('what was said before the page knew its task is not lost', () => {
  const stage = staged(row('other'), row('mine', 'running', 'early'));
  claim(stage, 'mine');
  assert.deepEqual(onStage(stage)?.said, [{ text: 'early', at_ms: 1 }]);
});

test('the same words twice are said once, and a tick without words says nothing', () => {
  const tick = { task_id: 'a', status: 'running', progress: 5, message: null };
  const stage = staged(row('a', 'running', 'one'), row('a', 'running', 'one'), tick);
  take(stage, row('a', 'running', 'two'), 9);
  const said = onStage(stage)?.said.map(({ text }) => text);
  assert.deepEqual(said, ['one', 'two']);
});

test('neither tasks nor words pile up', () => {
  const stage = staged(row('open'));
  for (let n = 0; n < 500; n += 1) {
    take(stage, row(`t${n}`, 'completed'), n);
    take(stage, row('open', 'running', `words ${n}`), n);
  }
  assert.ok(stage.tasks.size <= 101);
  assert.equal(onStage(stage)?.said.length, 100);
  assert.equal(onStage(stage)?.said.at(-1)?.text, 'words 499');
});

test('the end of a task that was missed is read from the task', () => {
  const done = {
    id: 'a',
    contextId: 'c',
    status: { state: 'TASK_STATE_COMPLETED', message: { parts: [{ text: 'Done.' }] } },
    artifacts: [{ parts: [{ text: 'one' }, { data: {} }] }, { parts: [{ text: 'two' }] }],
  };
  const last = lastRow(done);
  assert.ok(last && isFinished(last));
  assert.deepEqual(last, {
    task_id: 'a',
    status: 'completed',
    progress: 100,
    result: 'one\ntwo',
  });
  const open = { ...done, status: { state: 'TASK_STATE_WORKING' } };
  assert.equal(lastRow(open), null);
});

test('choices are read from a question, and only words', () => {
  const question = (/** @type {any} */ data) => ({
    id: 'a',
    contextId: 'c',
    status: { state: 'x', message: { parts: [{ text: '?' }, { data }] } },
  });
  assert.deepEqual(choicesOf(question({ choices: ['Send', 3, "Don't"] })), ['Send', "Don't"]);
  assert.deepEqual(choicesOf(question({ choices: 'no list' })), []);
  assert.deepEqual(choicesOf({ id: 'a', contextId: 'c', status: { state: 'x' } }), []);
});
