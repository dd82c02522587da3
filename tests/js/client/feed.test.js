// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { followFeed } from '../../../dashboard/static/client/feed.js';
import { snapshot, task } from '../support/events.js';
import { world } from '../support/world.js';

function following() {
  const its = world();
  /** @type {any[]} */
  const got = [];
  /** @type {import('../../../dashboard/static/state/types.d.ts').Link[]} */
  const links = [];
  /** @type {(string | null)[]} */
  const faults = [];
  const feed = followFeed(
    {
      snapshot: (data) => got.push(data),
      event: (data) => got.push(data),
      fault: (cause) => faults.push(cause),
      link: (link) => links.push(link),
    },
    its,
  );
  return { its, got, links, faults, feed, phase: () => links.at(-1)?.phase };
}

test('the first connection asks for a snapshot and is live when it is there', () => {
  const { its, got, phase } = following();
  assert.equal(its.sources[0].url, 'feed?every_ms=50');
  assert.equal(phase(), 'connecting');
  its.sources[0].onopen();
  assert.equal(phase(), 'connecting');
  its.sources[0].says(snapshot({ id: 4 }), 'snapshot');
  assert.equal(phase(), 'live');
  assert.equal(got[0].id, 4);
});

test('a reconnect goes on after the last event that was seen', () => {
  const { its, phase } = following();
  its.sources[0].says(snapshot({ id: 4 }), 'snapshot');
  its.sources[0].says(task(5));
  its.sources[0].onerror();
  assert.equal(its.sources[0].closed, true);
  assert.equal(phase(), 'reconnecting');
  its.pass(500);
  assert.equal(its.sources[1].url, 'feed?every_ms=50&after=k3f9-5');
  its.sources[1].onopen();
  assert.equal(phase(), 'live');
});

test('clocks differ by what the way from the host does not explain', () => {
  const hour_ms = 3_600_000;
  for (const [host_ms, skew_ms] of [[3_000, 0], [-hour_ms, hour_ms], [5_000 + hour_ms, -hour_ms]]) {
    const { its, links } = following();
    its.pass(5_000);
    its.sources[0].says(snapshot({ now: new Date(host_ms).toISOString() }), 'snapshot');
    assert.equal(links.at(-1)?.skew_ms, skew_ms);
  }
});

test('a log that fails is told, and no longer than the host says so', () => {
  const { its, got, faults } = following();
  its.sources[0].says(snapshot({ id: 4 }), 'snapshot');
  its.sources[0].says({ cause: 'disk full' }, 'fault');
  assert.deepEqual(faults, ['disk full']);
  assert.equal(got.length, 1);
  its.sources[0].says({ cause: null }, 'fault');
  its.sources[0].says({ cause: 'disk full' }, 'fault');
  its.sources[0].onerror();
  assert.deepEqual(faults, ['disk full', null, 'disk full', null]);
});

test('attempts are counted, announced with their time, and further and further apart', () => {
  const { its, links } = following();
  its.sources[0].says(snapshot(), 'snapshot');
  const waits = [];
  for (let n = 0; n < 7; n++) {
    its.sources[n].onerror();
    const link = links.at(-1);
    assert.equal(link?.attempt, n + 1);
    waits.push((link?.retry_at_ms ?? 0) - its.now());
    its.pass(waits[n]);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  its.sources[7].onopen();
  assert.equal(links.at(-1)?.attempt, 0);
  assert.equal(links.at(-1)?.lost_at_ms, null);
});

test('retry now does not wait, and does not open a second connection', () => {
  const { its, feed } = following();
  its.sources[0].onerror();
  feed.retryNow();
  assert.equal(its.sources.length, 2);
  feed.retryNow();
  its.pass(500);
  assert.equal(its.sources.length, 2);
});

test('a connection that opens and then says nothing is given up', () => {
  const { its, phase } = following();
  its.pass(10_000);
  assert.equal(its.sources[0].closed, true);
  assert.equal(phase(), 'connecting');
  its.pass(500);
  assert.equal(its.sources.length, 2);
});
