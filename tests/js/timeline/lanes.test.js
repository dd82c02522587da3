// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { packLane } from '../../../dashboard/static/timeline/lanes.js';
import { task } from '../support/events.js';
import { done, laneOf, lanesOf } from '../support/lanes.js';

test('a span is the same in whatever order its updates arrive', () => {
  const rows = done('t1', 1, 2, 3, 5);
  for (const order of [rows, [...rows].reverse(), [rows[2], rows[3], rows[0], rows[1]]]) {
    const { spans } = lanesOf(order);
    const span = spans.get('carly/t1');
    assert.deepEqual(span.times, rows.map((row) => Date.parse(row.received_at)));
    assert.deepEqual(span.statuses, ['running', 'running', 'running', 'completed']);
    assert.equal(span.row.status, 'completed');
  }
});

test('the current row of a snapshot is not a second update', () => {
  const row = task(4);
  const { spans } = lanesOf([row, { ...row, id: 0 }]);
  assert.equal(spans.get('carly/t1').times.length, 1);
});

test('overlapping tasks have different rows, others share the first', () => {
  const lane = laneOf('carly', lanesOf([...done('a', 0, 10), ...done('b', 5, 15), ...done('c', 12, 20)]));
  const { items, rows } = packLane(lane, 100, 4);
  assert.deepEqual(items.map((item) => item.row), [0, 1, 0]);
  assert.equal(rows, 2);
});

test('an open task keeps its row, so that nothing moves when it ends', () => {
  const open = [task(1, { task_id: 'a' }), ...done('b', 2, 3), ...done('c', 6, 9)];
  const before = packLane(laneOf('carly', lanesOf(open)), 10, 4).items.map((item) => item.row);
  const ended = [...open, task(10, { task_id: 'a', status: 'completed' })];
  const after = packLane(laneOf('carly', lanesOf(ended)), 10, 4).items.map((item) => item.row);
  assert.deepEqual(after, before);
});

test('tasks without a row are counted', () => {
  const rows = Array.from({ length: 9 }, (_, i) => done(`t${i}`, i / 10, 60)).flat();
  const { items, rows: used } = packLane(laneOf('carly', lanesOf(rows)), 100, 3);
  assert.equal(used, 4);
  assert.equal(items.filter((item) => item.kind === 'task').length, 3);
  const more = items.filter((item) => item.kind === 'more');
  assert.equal(more.reduce((sum, item) => sum + item.spans.length, 0), 6);
});
