// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { slotsFor } from '../../../dashboard/static/state/row_slots.js';

/** @param {Map<number | string, number>} slots */
const listed = (slots) => [...slots.values()];

test('a row that stays in sight keeps its element', () => {
  const before = slotsFor(undefined, [4, 3, 2, 1]);
  const after = slotsFor(before, [5, 4, 3, 2]);
  for (const id of [4, 3, 2]) assert.equal(after.get(id), before.get(id));
});

test('a new row is written into the element of one that is gone', () => {
  const before = slotsFor(undefined, [4, 3, 2, 1]);
  assert.equal(slotsFor(before, [5, 4, 3, 2]).get(5), before.get(1));
});

test('when most rows are new all are written anew and none is moved', () => {
  const before = slotsFor(undefined, [4, 3, 2, 1]);
  assert.deepEqual(listed(slotsFor(before, [9, 8, 7, 4])), listed(before));
  assert.deepEqual(listed(slotsFor(before, [9, 8, 7, 6])), listed(before));
});

test('no two rows have one element, however many come and go', () => {
  let slots = slotsFor(undefined, []);
  for (let head = 1; head < 500; head += 1 + (head % 7)) {
    const count = 5 + ((head * 7) % 11);
    const ids = Array.from({ length: Math.min(count, head) }, (_, at) => head - at);
    slots = slotsFor(slots, ids);
    assert.deepEqual([...slots.keys()], ids);
    assert.equal(new Set(slots.values()).size, ids.length);
  }
});
