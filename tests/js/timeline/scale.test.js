// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { packLane } from '../../../dashboard/static/timeline/lanes.js';
import {
  fitScale,
  getFrame,
  listMarks,
  listVisible,
  toTime,
  toX,
  zoomScale,
} from '../../../dashboard/static/timeline/scale.js';
import { at, task } from '../support/events.js';
import { done, laneOf, lanesOf } from '../support/lanes.js';

test('ten thousand tasks are few elements at every scale, and each counts once', () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => done(`t${i}`, i * 0.3, i * 0.3 + 2)).flat();
  const lane = laneOf('carly', lanesOf(rows));
  for (const ms_per_px of [0.1, 10, 300, 3_000, 1e6]) {
    const { items } = packLane(lane, ms_per_px, 5);
    const total = items.reduce((sum, item) => sum + item.spans.length, 0);
    assert.equal(total, 10_000);
    const to_ms = Date.parse(at(3_000));
    const seen = listVisible(items, { ms_per_px, to_ms, width: 1_000 });
    assert.ok(seen.length < 700, `${seen.length} elements at ${ms_per_px}`);
  }
});

test('the frame holds the window, and stays while panning within half a screen', () => {
  const frames = new Set();
  for (let pan = 0; pan < 500; pan += 7) {
    const scale = { ms_per_px: 10, to_ms: 1_000_000 + pan * 10, width: 1_000 };
    const { base, from, to } = getFrame(scale);
    assert.ok(from <= toTime(scale, 0) && to >= scale.to_ms);
    frames.add(base);
  }
  assert.equal(frames.size, 1);
});

test('an open task that started long before the window is visible', () => {
  const lane = laneOf('carly', lanesOf([task(1)]));
  const { items } = packLane(lane, 10, 4);
  const scale = { ms_per_px: 10, to_ms: Date.parse(at(86_400)), width: 1_000 };
  assert.equal(listVisible(items, scale).length, 1);
});

test('zooming keeps the time under the pointer in place', () => {
  const scale = { ms_per_px: 100, to_ms: 1_000_000, width: 1_000 };
  for (const factor of [0.5, 2, 1e-9, 1e9]) {
    const closer = { ...scale, ...zoomScale(scale, factor, 250) };
    assert.ok(Math.abs(toX(closer, toTime(scale, 250)) - 250) < 0.01);
  }
});

test('fitting shows the first and the last time', () => {
  const scale = { width: 800, ...fitScale(5_000, 65_000, 800) };
  assert.ok(toX(scale, 5_000) >= 0 && toX(scale, 65_000) <= 800);
  assert.ok(toX(scale, 65_000) - toX(scale, 5_000) > 700);
  assert.ok(fitScale(5, 5, 800).ms_per_px > 0);
});

test('marks are round local times, far enough apart, at every scale', () => {
  for (let ms_per_px = 0.1; ms_per_px < 3e7; ms_per_px *= 3) {
    const scale = { ms_per_px, to_ms: Date.parse(at(7)), width: 900 };
    const { step, marks } = listMarks(scale, 90);
    assert.ok(marks.length > 1 || ms_per_px > 1e6);
    assert.ok(marks.length <= 60);
    for (const [i, ms] of marks.slice(1).entries()) assert.equal(ms - marks[i], step);
    if (ms_per_px < 1e6) assert.ok(step / ms_per_px >= 90);
  }
});
