// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  countStatuses,
  listPeriods,
  paintGroup,
  paintSpan,
} from '../../../dashboard/static/timeline/paint.js';
import { at, task } from '../support/events.js';
import { lanesOf } from '../support/lanes.js';

test('a bar has a colour for each status and a mark for each update', () => {
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
    listPeriods(span, to).map(({ status, from, to }) => [status, (to - from) / 1000]),
    [
      ['submitted', 1],
      ['running', 2],
      ['input-required', 1],
      ['completed', 0],
    ],
  );
  const paint = paintSpan(span, from, 40);
  assert.match(paint, /var\(--in-running,var\(--in-unknown\)\) 25\.0px 75\.0px/);
  // The last has no end: nothing changes while a task goes on.
  assert.match(paint, /var\(--in-completed,var\(--in-unknown\)\) 100\.0px\)$/);
  assert.equal(paint.match(/var\(--tick\)/g)?.length, 4);
  assert.doesNotMatch(paintSpan(span, from, 2_000), /--tick\) .*--tick/);
});

test('a status from a foreign file stays out of the style', () => {
  const row = task(0, { status: 'x),url(http://evil.example/)' });
  const span = lanesOf([row]).spans.get('carly/t1');
  assert.doesNotMatch(paintSpan(span, 0, 1e10), /evil/);
});

test('a group counts its statuses, the most urgent first', () => {
  const { spans } = lanesOf([
    task(1, { task_id: 'd', status: 'completed' }),
    task(1, { task_id: 'a', status: 'completed' }),
    task(2, { task_id: 'b', status: 'error' }),
    task(3, { task_id: 'c' }),
  ]);
  const all = [...spans.values()];
  assert.deepEqual(countStatuses(all), [
    ['error', 1],
    ['running', 1],
    ['completed', 2],
  ]);
  assert.match(paintGroup(all), /--in-completed[^%]*50\.0% 100\.0%/);
});
