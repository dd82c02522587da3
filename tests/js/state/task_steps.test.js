// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { listSteps, sumTimePerStatus } from '../../../dashboard/static/state/task_steps.js';
import { at, chunk, gap, task } from '../support/events.js';

/** @param {string} text */
const user = (text) => ({ role: 'ROLE_USER', messageId: text, parts: [{ text }] });
/** @param {string} messageId */
const agent = (messageId) => ({ role: 'ROLE_AGENT', messageId, parts: [{ text: messageId }] });

test('the messages of both sides are in their order', () => {
  const events = [
    task(1, { status: 'submitted' }),
    task(2, { message: 'Ready…', message_id: 'm1' }),
    task(3, { status: 'input-required', message: 'Send?', message_id: 'm2' }),
    task(9, { message: 'Sending…', message_id: 'm3' }),
  ];
  const history = [user('Invite all'), agent('m1'), agent('m2'), user('Send'), agent('m3')];
  const texts = listSteps(events, history).map(({ kind, text, event }) =>
    kind === 'user' ? `you: ${text}` : String(event?.id),
  );
  assert.deepEqual(texts, ['you: Invite all', '1', '2', '3', 'you: Send', '9']);
});

test('each step but the last has a duration', () => {
  const steps = listSteps([task(1), task(3, { status: 'input-required' }), gap(10)], []);
  assert.deepEqual(steps.map(({ lasted_ms }) => lasted_ms), [2_000, 7_000, null]);
});

test('updates with the same message are one step, and so are chunks of one artifact', () => {
  const ticks = [1, 2, 3].map((id) => task(id, { progress: id * 10 }));
  const chunks = [chunk(4), chunk(5, { append: true }), chunk(6, { artifact_id: 'a2' })];
  const steps = listSteps([...ticks, ...chunks], []);
  assert.deepEqual(steps.map(({ kind, count }) => [kind, count]), [
    ['task', 3],
    ['artifact', 2],
    ['artifact', 1],
  ]);
  assert.equal(steps[0].event?.id, 3);
  assert.equal(steps[0].lasted_ms, 3_000);
});

test('the time in a status is the sum of its periods', () => {
  const events = [
    task(1, { status: 'submitted' }),
    task(2),
    task(5, { status: 'input-required' }),
    task(15),
    task(16, { status: 'completed' }),
  ];
  assert.deepEqual([...sumTimePerStatus(events, null)], [
    ['submitted', 1_000],
    ['running', 4_000],
    ['input-required', 10_000],
  ]);
  assert.equal(sumTimePerStatus(events.slice(0, 3), Date.parse(at(9))).get('input-required'), 4_000);
});
