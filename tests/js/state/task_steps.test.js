// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { trackersOf } from '../../../dashboard/static/state/task_progress.js';
import { applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
import { courseOf, kinOf, timesOf } from '../../../dashboard/static/state/task_steps.js';
import { at, chunk, gap, snapshot, task } from '../support/events.js';

/** @param {string} text */
const user = (text) => ({ role: 'ROLE_USER', messageId: text, parts: [{ text }] });
/** @param {string} messageId */
const agent = (messageId) => ({ role: 'ROLE_AGENT', messageId, parts: [{ text: messageId }] });

test('the course has what both sides said, in the order in which they said it', () => {
  const events = [
    task(1, { status: 'submitted' }),
    task(2, { message: 'Ready…', message_id: 'm1' }),
    task(3, { status: 'input-required', message: 'Send?', message_id: 'm2' }),
    task(9, { message: 'Sending…', message_id: 'm3' }),
  ];
  const history = [user('Invite all'), agent('m1'), agent('m2'), user('Send'), agent('m3')];
  const said = courseOf(events, history).map(({ kind, text, event }) =>
    kind === 'user' ? `you: ${text}` : String(event?.id),
  );
  assert.deepEqual(said, ['you: Invite all', '1', '2', '3', 'you: Send', '9']);
});

test('a step says how long it lasted, and the last does not know yet', () => {
  const steps = courseOf([task(1), task(3, { status: 'input-required' }), gap(10)], []);
  assert.deepEqual(steps.map(({ lasted_ms }) => lasted_ms), [2_000, 7_000, null]);
});

test('updates that say the same, and chunks of one artifact, are one step', () => {
  const ticks = [1, 2, 3].map((id) => task(id, { progress: id * 10 }));
  const chunks = [chunk(4), chunk(5, { append: true }), chunk(6, { artifact_id: 'a2' })];
  const steps = courseOf([...ticks, ...chunks], []);
  assert.deepEqual(steps.map(({ kind, count }) => [kind, count]), [
    ['task', 3],
    ['artifact', 2],
    ['artifact', 1],
  ]);
  assert.equal(steps[0].event?.id, 3);
  assert.equal(steps[0].lasted_ms, 3_000);
});

test('the time in each status is counted over all of its turns', () => {
  const events = [
    task(1, { status: 'submitted' }),
    task(2),
    task(5, { status: 'input-required' }),
    task(15),
    task(16, { status: 'completed' }),
  ];
  assert.deepEqual([...timesOf(events, null)], [
    ['submitted', 1_000],
    ['running', 4_000],
    ['input-required', 10_000],
  ]);
  assert.equal(timesOf(events.slice(0, 3), Date.parse(at(9))).get('input-required'), 4_000);
});

test('parent, children and those of the same context are found over all agents', () => {
  const state = createState();
  applySnapshot(state, snapshot());
  for (const row of [
    task(1, { agent: 'host', task_id: 'plan', context_id: 'c9' }),
    task(2, { agent: 'carly', task_id: 'a', context_id: 'c9', parent_task_id: 'plan' }),
    task(3, { agent: 'nancy', task_id: 'b', context_id: 'c9', parent_task_id: 'plan' }),
    task(4, { agent: 'nancy', task_id: 'c', context_id: 'c8' }),
    task(5, { agent: 'walter', task_id: 'd', context_id: null }),
  ]) {
    applyEvent(state, row, 0);
  }
  const ids = (/** @type {string} */ name, /** @type {string} */ id) => {
    const found = state.agents.get(name)?.tasks.get(id);
    assert.ok(found);
    const { parent, children, siblings } = kinOf(state, found.row);
    return [parent, children, siblings].map((tasks) => tasks.map(({ row }) => row.task_id));
  };
  assert.deepEqual(ids('host', 'plan'), [[], ['a', 'b'], []]);
  assert.deepEqual(ids('carly', 'a'), [['plan'], [], ['b']]);
  assert.deepEqual(ids('walter', 'd'), [[], [], []]);
});

test('trackers are read from the update or its message, and nonsense is no tracker', () => {
  const progress = {
    trackers: [
      { id: 'left', progress: 1, total: 4, message: 'One of four', status: 'running' },
      { id: 'right', status: 'failed' },
      null,
    ],
  };
  const metadata = { 'https://a2a-protocol.org/extensions/task-progress/v1': progress };
  const both = [
    { id: 'left', percent: 25, text: 'One of four', status: 'running' },
    { id: 'right', percent: null, text: '', status: 'error' },
  ];
  assert.deepEqual(trackersOf({ statusUpdate: { metadata } }), both);
  assert.deepEqual(trackersOf({ task: { status: { message: { metadata } } } }), both);
  for (const raw of [null, {}, { statusUpdate: {} }, { artifactUpdate: {} }]) {
    assert.deepEqual(trackersOf(raw), []);
  }
});
