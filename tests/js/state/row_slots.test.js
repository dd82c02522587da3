// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { assignSlots } from '../../../dashboard/static/state/row_slots.js';

/** @param {Map<number | string, number>} slots */
const slotsOf = (slots) => [...slots.values()];

test('a row that stays visible keeps its element', () => {
  const before = assignSlots(undefined, [4, 3, 2, 1]);
  const after = assignSlots(before, [5, 4, 3, 2]);
  for (const id of [4, 3, 2]) assert.equal(after.get(id), before.get(id));
});

test('a new row reuses the element of a row that is gone', () => {
  const before = assignSlots(undefined, [4, 3, 2, 1]);
  assert.equal(assignSlots(before, [5, 4, 3, 2]).get(5), before.get(1));
});

test('if most rows are new, all are drawn again and none moves', () => {
  const before = assignSlots(undefined, [4, 3, 2, 1]);
  assert.deepEqual(slotsOf(assignSlots(before, [9, 8, 7, 4])), slotsOf(before));
  assert.deepEqual(slotsOf(assignSlots(before, [9, 8, 7, 6])), slotsOf(before));
});

test('no two rows share an element', () => {
  let slots = assignSlots(undefined, []);
  for (let head = 1; head < 500; head += 1 + (head % 7)) {
    const count = 5 + ((head * 7) % 11);
    const ids = Array.from({ length: Math.min(count, head) }, (_, at) => head - at);
    slots = assignSlots(slots, ids);
    assert.deepEqual([...slots.keys()], ids);
    assert.equal(new Set(slots.values()).size, ids.length);
  }
});
