// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  addUpdate,
  countsOf,
  createLanes,
  fitted,
  frameOf,
  inSight,
  marksOf,
  pack,
  paintOf,
  sharesOf,
  stretches,
  timeAt,
  xOf,
  zoomed,
} from '../../../dashboard/static/timeline/lanes.js';
import { at, task } from '../support/events.js';

/** @param {ReturnType<typeof task>[]} rows */
function lanesOf(rows) {
  const lanes = createLanes();
  const spans = new Map();
  for (const row of rows) addUpdate(lanes, spans, row);
  return { lanes, spans };
}

/** One task: its updates in seconds, the last one its end. @param {string} id @param {number[]} seconds */
const done = (id, ...seconds) =>
  seconds.map((s, i) =>
    task(s, { task_id: id, status: i === seconds.length - 1 ? 'completed' : 'running' }),
  );

/** @param {string} agent @param {ReturnType<typeof lanesOf>} from @returns {import('../../../dashboard/static/timeline/lanes.js').Lane} */
function laneOf(agent, { lanes }) {
  const lane = lanes.get(agent);
  assert.ok(lane);
  return lane;
}

test('updates build a span in whatever order pages of the log bring them', () => {
  const rows = done('t1', 1, 2, 3, 5);
  for (const order of [rows, [...rows].reverse(), [rows[2], rows[3], rows[0], rows[1]]]) {
    const { spans } = lanesOf(order);
    const span = spans.get('carly/t1');
    assert.deepEqual(span.times, rows.map((row) => Date.parse(row.received_at)));
    assert.deepEqual(span.states, ['running', 'running', 'running', 'completed']);
    assert.equal(span.row.status, 'completed');
  }
});

test('the current row of a snapshot is no second update', () => {
  const row = task(4);
  const { spans } = lanesOf([row, { ...row, id: 0 }]);
  assert.equal(spans.get('carly/t1').times.length, 1);
});

test('tasks that overlap stand in rows of their own, others share the first', () => {
  const lane = laneOf('carly', lanesOf([...done('a', 0, 10), ...done('b', 5, 15), ...done('c', 12, 20)]));
  const { items, rows } = pack(lane, 100, 4);
  assert.deepEqual(items.map((item) => item.row), [0, 1, 0]);
  assert.equal(rows, 2);
});

test('an open task keeps its row, so that nothing moves when it ends', () => {
  const open = [task(1, { task_id: 'a' }), ...done('b', 2, 3), ...done('c', 6, 9)];
  const before = pack(laneOf('carly', lanesOf(open)), 10, 4).items.map((item) => item.row);
  const ended = [...open, task(10, { task_id: 'a', status: 'completed' })];
  const after = pack(laneOf('carly', lanesOf(ended)), 10, 4).items.map((item) => item.row);
  assert.deepEqual(after, before);
});

test('what finds no row is counted, none is left out', () => {
  const rows = Array.from({ length: 9 }, (_, i) => done(`t${i}`, i / 10, 60)).flat();
  const { items, rows: used } = pack(laneOf('carly', lanesOf(rows)), 100, 3);
  assert.equal(used, 4);
  assert.equal(items.filter((item) => item.kind === 'task').length, 3);
  const more = items.filter((item) => item.kind === 'more');
  assert.equal(more.reduce((sum, item) => sum + item.spans.length, 0), 6);
});

test('ten thousand tasks are few elements at every scale, and each is counted once', () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => done(`t${i}`, i * 0.3, i * 0.3 + 2)).flat();
  const lane = laneOf('carly', lanesOf(rows));
  for (const ms_per_px of [0.1, 10, 300, 3_000, 1e6]) {
    const { items } = pack(lane, ms_per_px, 5);
    const total = items.reduce((sum, item) => sum + item.spans.length, 0);
    assert.equal(total, 10_000);
    const to_ms = Date.parse(at(3_000));
    const seen = inSight(items, { ms_per_px, to_ms, width: 1_000 });
    assert.ok(seen.length < 700, `${seen.length} elements at ${ms_per_px}`);
  }
});

test('the frame holds the window, and stays while panning within half a screen', () => {
  const frames = new Set();
  for (let pan = 0; pan < 500; pan += 7) {
    const view = { ms_per_px: 10, to_ms: 1_000_000 + pan * 10, width: 1_000 };
    const { base, from, to } = frameOf(view);
    assert.ok(from <= timeAt(view, 0) && to >= view.to_ms);
    frames.add(base);
  }
  assert.equal(frames.size, 1);
});

test('a task that began long before the window and goes on is in sight', () => {
  const lane = laneOf('carly', lanesOf([task(1)]));
  const { items } = pack(lane, 10, 4);
  const view = { ms_per_px: 10, to_ms: Date.parse(at(86_400)), width: 1_000 };
  assert.equal(inSight(items, view).length, 1);
});

test('zooming keeps the time under the pointer where it is', () => {
  const view = { ms_per_px: 100, to_ms: 1_000_000, width: 1_000 };
  for (const factor of [0.5, 2, 1e-9, 1e9]) {
    const closer = { ...view, ...zoomed(view, factor, 250) };
    assert.ok(Math.abs(xOf(closer, timeAt(view, 250)) - 250) < 0.01);
  }
});

test('fitting shows the first and the last', () => {
  const view = { width: 800, ...fitted(5_000, 65_000, 800) };
  assert.ok(xOf(view, 5_000) >= 0 && xOf(view, 65_000) <= 800);
  assert.ok(xOf(view, 65_000) - xOf(view, 5_000) > 700);
  assert.ok(fitted(5, 5, 800).ms_per_px > 0);
});

test('marks are round local times, far enough apart, at every scale', () => {
  for (let ms_per_px = 0.1; ms_per_px < 3e7; ms_per_px *= 3) {
    const view = { ms_per_px, to_ms: Date.parse(at(7)), width: 900 };
    const { step, marks } = marksOf(view, 90);
    assert.ok(marks.length > 1 || ms_per_px > 1e6);
    assert.ok(marks.length <= 60);
    for (const [i, ms] of marks.slice(1).entries()) assert.equal(ms - marks[i], step);
    if (ms_per_px < 1e6) assert.ok(step / ms_per_px >= 90);
  }
});

test('a bar is painted with each state and a mark for each update', () => {
  const rows = [
    task(0, { status: 'submitted' }),
    task(1),
    task(2),
    task(3, { status: 'input-required' }),
    task(4, { status: 'completed' }),
  ];
  const span = lanesOf(rows).spans.get('carly/t1');
  const [from, to] = [Date.parse(at(0)), Date.parse(at(4))];
  assert.deepEqual(
    stretches(span, to).map(({ status, from, to }) => [status, (to - from) / 1000]),
    [
      ['submitted', 1],
      ['running', 2],
      ['input-required', 1],
      ['completed', 0],
    ],
  );
  const paint = paintOf(span, from, 40);
  assert.match(paint, /var\(--in-running,var\(--in-unknown\)\) 25\.0px 75\.0px/);
  // The last has no end: nothing changes while a task goes on.
  assert.match(paint, /var\(--in-completed,var\(--in-unknown\)\) 100\.0px\)$/);
  assert.equal(paint.match(/var\(--tick\)/g)?.length, 4);
  assert.doesNotMatch(paintOf(span, from, 2_000), /--tick\) .*--tick/);
});

test('a status out of a foreign file stays out of the style', () => {
  const row = task(0, { status: 'x),url(http://evil.example/)' });
  const span = lanesOf([row]).spans.get('carly/t1');
  assert.doesNotMatch(paintOf(span, 0, 1e10), /evil/);
});

test('a group says how many are in each state, what needs attention first', () => {
  const { spans } = lanesOf([
    task(1, { task_id: 'd', status: 'completed' }),
    task(1, { task_id: 'a', status: 'completed' }),
    task(2, { task_id: 'b', status: 'error' }),
    task(3, { task_id: 'c' }),
  ]);
  const all = [...spans.values()];
  assert.deepEqual(countsOf(all), [
    ['error', 1],
    ['running', 1],
    ['completed', 2],
  ]);
  assert.match(sharesOf(all), /--in-completed[^%]*50\.0% 100\.0%/);
});
