// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  formatAge,
  formatDuration,
  formatElapsed,
  formatPercent,
  formatRate,
  formatRowTime,
  formatSeconds,
  plural,
} from '../../../dashboard/static/state/format.js';

test('a row time has twelve characters, for today, another day or no date', () => {
  const now = new Date(2026, 8, 22, 12, 4, 31, 207);
  const iso = now.toISOString();
  assert.equal(formatRowTime(iso, now.getTime()), '12:04:31.207');
  assert.equal(formatRowTime(iso, now.getTime() + 3 * 86_400_000), '22 Sep 12:04');
  assert.equal(formatRowTime('not a time', 0).length, 12);
});

test('durations have readable units', () => {
  assert.deepEqual([0, 7_900, 765_000, 3_723_000].map(formatElapsed), [
    '0:00',
    '0:07',
    '12:45',
    '1:02:03',
  ]);
  assert.deepEqual([200, 12_000, 200_000, 7_300_000, 2e8].map(formatAge), [
    'now',
    '12 s ago',
    '3 min ago',
    '2 h ago',
    '2 d ago',
  ]);
  assert.deepEqual([0.4, 2, 180].map(formatSeconds), ['0.4 s', '2 s', '3 min']);
  assert.deepEqual(
    [40, 999.7, 8_240, 59_960, 185_000, 7_800_000, 792_000_000].map(formatDuration),
    ['40 ms', '1.0 s', '8.2 s', '1 min 0 s', '3 min 5 s', '2 h 10 min', '9 d 4 h'],
  );
  assert.deepEqual([0, 0.4, 42.3].map(formatRate), ['0', '0.4', '42']);
});

test('unknown progress is not a number', () => {
  assert.equal(formatPercent(null), '');
  assert.equal(formatPercent(0), '0%');
  assert.equal(formatPercent(99.9), '99%');
});

test('counts have separators and a singular', () => {
  assert.deepEqual(
    [0, 1, 999, 17_500, 1_000_000].map((n) => plural(n, 'update')),
    ['0 updates', '1 update', '999 updates', '17,500 updates', '1,000,000 updates'],
  );
});
