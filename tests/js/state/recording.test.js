// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { applyRecording, parseRecording } from '../../../dashboard/static/state/recording.js';
import { createState } from '../../../dashboard/static/state/store.js';
import { agent, at, task } from '../support/events.js';

/** @param {unknown[]} events */
const file = (...events) => events.map((event) => JSON.stringify(event)).join('\n');

test('a file is read in the order of its ids, without duplicates', () => {
  const text = file(task(3), agent(1), task(3), task(2)) + '\n\n';
  assert.deepEqual(parseRecording(text), [agent(1), task(2), task(3)]);
});

test('an error names the first bad line and what it lacks', () => {
  /** @type {[string, RegExp][]} */
  const bad = [
    ['{"id":1', /^Error: Line 2 is not a feed event: it is not a JSON object\.$/],
    ['[]', /Line 2 .* not a JSON object/],
    ['null', /Line 2 .* not a JSON object/],
    [file({ ...task(2), id: undefined }), /Line 2 .* no id/],
    [file({ ...task(2), id: 1.5 }), /Line 2 .* no id/],
    [file({ ...task(2), received_at: 'noon' }), /Line 2 .* no received_at/],
    [file({ ...task(2), status: 7 }), /Line 2 .* no status/],
    [file({ ...agent(2), skills: 'many' }), /Line 2 .* no skills/],
  ];
  for (const [line, why] of bad) {
    assert.throws(() => parseRecording(`${file(task(1))}\n${line}`), why);
  }
  assert.throws(() => parseRecording('\n'), /The file has no events/);
});

test('events of an unknown kind are skipped', () => {
  const text = file(task(1), { ...task(2), kind: 'weather' });
  assert.deepEqual(parseRecording(text), [task(1)]);
});

test('the state is that of the last event, with every event in the rows', () => {
  const events = Array.from({ length: 52_000 }, (_, i) =>
    task(i + 1, { task_id: `t${i % 9}`, received_at: at(i / 100) }),
  );
  const state = createState();
  applyRecording(state, [...events, agent(52_001, { agent: 'walter' })], 'run.ndjson');
  assert.equal(state.rows.length, 52_001);
  assert.equal(state.agents.get('carly')?.tasks.size, 9);
  assert.equal(state.link.phase, 'recording');
  assert.equal(state.link.lost_at_ms, Date.parse(at(52_001)));
  assert.equal(state.agents.get('walter')?.row?.connection, 'connected');
  assert.equal(state.agents.get('carly')?.row?.connection, 'recorded');
  assert.equal(state.has_older, false);
});

test('another recording replaces the first', () => {
  const state = createState();
  applyRecording(state, [task(7), task(8)], 'one.ndjson');
  applyRecording(state, [agent(3, { agent: 'nancy' })], 'two.ndjson');
  assert.deepEqual([...state.agents.keys()], ['nancy']);
  assert.deepEqual(state.rows.map(({ id }) => id), [3]);
});
