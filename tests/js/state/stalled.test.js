// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { formatSpan } from '../../../dashboard/static/state/format.js';
import { eventLabel, eventText, eventTone } from '../../../dashboard/static/state/labels.js';
import { lintEvent, newLintState } from '../../../dashboard/static/state/lint.js';
import { isQuiet } from '../../../dashboard/static/state/selectors.js';
import { applyEvent, createState } from '../../../dashboard/static/state/store.js';
import { listSteps } from '../../../dashboard/static/state/task_steps.js';
import { addUpdate, createLanes } from '../../../dashboard/static/timeline/lanes.js';
import { at, chunk, notice, task } from '../support/events.js';

const RUNNING = task(1, { message: 'Half way', message_id: 'm1' });
const STALLED = task(9, { ...RUNNING, id: 9, stalled_since: at(1), received_at: at(9) });
const RESUMED = task(12, { ...RUNNING, id: 12, stalled_since: null, received_at: at(12) });
const STORY = [
  RUNNING,
  notice(8),
  STALLED,
  notice(11, { notice: 'resumed', message: 'an update came after 9 s' }),
  RESUMED,
  chunk(13),
];

test('both notices have a word, an icon and a text', () => {
  const rows = STORY.map((event) => [eventLabel(event).word, eventTone(event), eventText(event)]);
  assert.deepEqual(rows.slice(0, 5), [
    ['running', 'running', 'Half way'],
    ['stalled', 'stalled', 'no update for 5 min'],
    ['stalled', 'stalled', 'Half way'],
    ['resumed', 'resumed', 'an update came after 9 s'],
    ['running', 'running', 'Half way'],
  ]);
  const icons = STORY.slice(1, 4).map((event) => eventLabel(event).icon);
  assert.deepEqual(icons, ['hourglass', 'hourglass', 'again']);
});

test('a notice of a later version has the word of its kind', () => {
  assert.equal(eventLabel(notice(1, { notice: 'other' })).word, 'notice');
});

test('the steps of a task have its notices, but not the rows that the host repeats', () => {
  const steps = listSteps(STORY, []).map(({ kind, count }) => [kind, count]);
  assert.deepEqual(steps, [
    ['task', 1],
    ['notice', 1],
    ['notice', 1],
    ['artifact', 1],
  ]);
});

test('the rows that the host repeats are not linted', () => {
  const state = newLintState();
  const flawed = { message_id: null, message: 'Half way' };
  const flaws = STORY.map((event) =>
    lintEvent(state, event.kind === 'task' ? { ...event, ...flawed } : event),
  );
  assert.deepEqual(flaws.map(({ length }) => length), [1, 0, 0, 0, 0, 0]);
});

test('a stalled task is quiet since its last update', () => {
  const state = createState();
  for (const event of [RUNNING, STALLED]) applyEvent(state, event, 0);
  const known = state.agents.get('carly')?.tasks.get('t1');
  assert.ok(known);
  assert.equal(isQuiet(known, Date.parse(at(32))), true);
  applyEvent(state, RESUMED, 0);
  assert.equal(isQuiet(known, Date.parse(at(32))), false);
});

test('the timeline has no update where the host repeats a row', () => {
  const spans = new Map();
  const lanes = createLanes();
  for (const event of STORY) if (event.kind === 'task') addUpdate(lanes, spans, event);
  const [span] = spans.values();
  assert.deepEqual(span.times, [Date.parse(at(1))]);
  assert.equal(span.row, RESUMED);
});

test('a time span has one unit', () => {
  const texts = [-5, 0, 40_999, 60_000, 7 * 60_000 + 59_000, 3_600_000, 90 * 3_600_000].map(formatSpan);
  assert.deepEqual(texts, ['0 s', '0 s', '40 s', '1 min', '7 min', '1 h', '3 d']);
});
