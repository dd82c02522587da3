// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  lintCard,
  lintEvent,
  lintRaw,
  newLintState,
} from '../../../dashboard/static/state/lint.js';
import { applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
import { chunk, gap, snapshot, task } from '../support/events.js';

/** All flaws of a whole task. @param {import('../../../dashboard/static/state/types.d.ts').FeedEvent[]} events */
function flaws(...events) {
  const lint_state = newLintState();
  return events.flatMap((event) => lintEvent(lint_state, event));
}

const submitted = task(1, { status: 'submitted', state: 'TASK_STATE_SUBMITTED' });
const done = { status: 'completed', state: 'TASK_STATE_COMPLETED' };

test('a task that follows the specification has no flaws', () => {
  const events = [
    submitted,
    task(2, { message: 'Working…', message_id: 'm1' }),
    chunk(3),
    chunk(4, { append: true, last_chunk: true }),
    task(5, { ...done, message: 'Done.', message_id: 'm2' }),
  ];
  assert.deepEqual(flaws(...events), []);
});

/** @type {[name: string, expected: RegExp, events: import('../../../dashboard/static/state/types.d.ts').FeedEvent[]][]} */
const CASES = [
  ['an update after the end', /had already ended/, [submitted, task(2, done), task(3)]],
  ['a different context', /is c2, but the task's context is c1/, [submitted, task(2, { context_id: 'c2' })]],
  ['submitted twice', /submitted once/, [task(1), { ...submitted, id: 2 }]],
  ['a message without an id', /messageId is missing/, [task(1, { message: 'Hi' })]],
  ['a question without text', /has no question/, [task(1, { status: 'input-required' })]],
  ['no state', /state is missing/, [task(1, { status: 'unknown' })]],
  ['a timestamp that goes back', /went back/, [task(5), task(6, { at: task(1).at })]],
  ['a chunk of an unknown artifact', /never sent/, [submitted, chunk(2, { append: true })]],
  ['a chunk after the last', /lastChunk/, [chunk(1, { last_chunk: true }), chunk(2, { append: true })]],
  ['an artifact without parts', /at least one part/, [chunk(1, { parts: [] })]],
  ['an empty part', /This one has none/, [chunk(1, { parts: [{ mediaType: 'a/b' }] })]],
];
for (const [name, expected, events] of CASES) {
  test(`${name} is a flaw`, () => {
    const found = flaws(...events);
    assert.equal(found.length, 1, found.join(' '));
    assert.match(found[0], expected);
  });
}

test('missing events are not a flaw of the agent', () => {
  const lint_state = newLintState(task(1));
  assert.deepEqual(lintEvent(lint_state, chunk(2, { append: true })), []);
  assert.deepEqual(flaws(submitted, gap(2), chunk(3, { append: true })), []);
});

test('events of the host are not linted as if they were from the agent', () => {
  const ended = task(2, { status: 'error', at: null, message: 'Carly forgot it.' });
  assert.deepEqual(flaws(submitted, ended), []);
});

test('live events are linted as they arrive', () => {
  const state = createState();
  applySnapshot(state, snapshot({ id: 4, tasks: [task(4)] }));
  applyEvent(state, task(5, { context_id: 'other' }), 0);
  applyEvent(state, task(6, { task_id: 't2' }), 0);
  assert.deepEqual([...state.flaws.keys()], [5]);
});

test('progress that goes back is a flaw, although the row never shows it', () => {
  const raw = {
    statusUpdate: { metadata: { 'https://x/task-progress/v1': { aggregate: { progress: 1, total: 5 } } } },
  };
  assert.match(lintRaw(task(1, { progress: 50 }), raw)[0], /back to 20%/);
  assert.deepEqual(lintRaw(task(1, { progress: 20 }), raw), []);
  assert.deepEqual(lintRaw(task(1, { progress: 20 }), null), []);
});

test('a card and its skills need their required fields', () => {
  const skill = { id: 'a', name: 'A', description: 'Does a.', tags: ['a'] };
  const modes = ['text/plain'];
  const card = {
    name: 'Carly',
    description: 'Plans.',
    version: '1',
    skills: [skill],
    defaultInputModes: modes,
    defaultOutputModes: modes,
  };
  assert.deepEqual(lintCard(card), []);
  assert.equal(lintCard({ ...card, version: '', defaultInputModes: undefined }).length, 2);
  const flawed = lintCard({ ...card, skills: [skill, { ...skill, tags: [] }] });
  assert.match(flawed.join('\n'), /AgentSkill.tags is required[^]*Two skills/);
  assert.ok(lintCard(null).length > 3);
});
