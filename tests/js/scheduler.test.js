// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { createPace } from '../../dashboard/static/scheduler.js';

test('the list moves ten times a second where that is smooth', () => {
  const pace = createPace();
  for (let frame = 0; frame < 100; frame++) pace.note(17);
  assert.equal(pace.pause_ms(), 100);
});

test('where drawing takes long it moves less often, but never stands still', () => {
  const pace = createPace();
  pace.note(25);
  assert.equal(pace.pause_ms(), 300);
  pace.note(900);
  assert.equal(pace.pause_ms(), 400);
});

test('one part of the page follows the other after half of that', () => {
  const pace = createPace();
  pace.note(25);
  assert.equal(pace.step_ms(), 150);
});

test('it gathers pace again within some seconds', () => {
  const pace = createPace();
  pace.note(100);
  for (let frame = 0; frame < 120; frame++) pace.note(17);
  assert.equal(pace.pause_ms(), 100);
});
