// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { Feed } from '../../../dashboard/static/client/feed.js';
import { snapshot, task } from '../support/events.js';
import { fakeBrowser } from '../support/fake_browser.js';

function follow() {
  const env = fakeBrowser();
  /** @type {any[]} */
  const received = [];
  /** @type {import('../../../dashboard/static/state/types.d.ts').Link[]} */
  const links = [];
  /** @type {(string | null)[]} */
  const faults = [];
  const feed = new Feed(
    {
      snapshot: (data) => received.push(data),
      event: (data) => received.push(data),
      fault: (cause) => faults.push(cause),
      link: (link) => links.push(link),
    },
    env,
  );
  return { env, received, links, faults, feed, phase: () => links.at(-1)?.phase };
}

test('the first connection is live when its snapshot is there', () => {
  const { env, received, phase } = follow();
  assert.equal(env.sources[0].url, 'feed?every_ms=50');
  assert.equal(phase(), 'connecting');
  env.sources[0].onopen();
  assert.equal(phase(), 'connecting');
  env.sources[0].emit(snapshot({ id: 4 }), 'snapshot');
  assert.equal(phase(), 'live');
  assert.equal(received[0].id, 4);
});

test('a reconnect continues after the last event', () => {
  const { env, phase } = follow();
  env.sources[0].emit(snapshot({ id: 4 }), 'snapshot');
  env.sources[0].emit(task(5));
  env.sources[0].onerror();
  assert.equal(env.sources[0].closed, true);
  assert.equal(phase(), 'reconnecting');
  env.pass(500);
  assert.equal(env.sources[1].url, 'feed?every_ms=50&after=k3f9-5');
  env.sources[1].onopen();
  assert.equal(phase(), 'live');
});

test('the clock skew ignores what latency explains', () => {
  const hour_ms = 3_600_000;
  for (const [host_ms, skew_ms] of [[3_000, 0], [-hour_ms, hour_ms], [5_000 + hour_ms, -hour_ms]]) {
    const { env, links } = follow();
    env.pass(5_000);
    env.sources[0].emit(snapshot({ now: new Date(host_ms).toISOString() }), 'snapshot');
    assert.equal(links.at(-1)?.skew_ms, skew_ms);
  }
});

test('a fault lasts as long as the host reports it', () => {
  const { env, received, faults } = follow();
  env.sources[0].emit(snapshot({ id: 4 }), 'snapshot');
  env.sources[0].emit({ cause: 'disk full' }, 'fault');
  assert.deepEqual(faults, ['disk full']);
  assert.equal(received.length, 1);
  env.sources[0].emit({ cause: null }, 'fault');
  env.sources[0].emit({ cause: 'disk full' }, 'fault');
  env.sources[0].onerror();
  assert.deepEqual(faults, ['disk full', null, 'disk full', null]);
});

test('attempts are counted and back off', () => {
  const { env, links } = follow();
  env.sources[0].emit(snapshot(), 'snapshot');
  const waits = [];
  for (let n = 0; n < 7; n++) {
    env.sources[n].onerror();
    const link = links.at(-1);
    assert.equal(link?.attempt, n + 1);
    waits.push((link?.retry_at_ms ?? 0) - env.now());
    env.pass(waits[n]);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  env.sources[7].onopen();
  assert.equal(links.at(-1)?.attempt, 0);
  assert.equal(links.at(-1)?.lost_at_ms, null);
});

test('a retry does not wait, and opens no second connection', () => {
  const { env, feed } = follow();
  env.sources[0].onerror();
  feed.retryNow();
  assert.equal(env.sources.length, 2);
  feed.retryNow();
  env.pass(500);
  assert.equal(env.sources.length, 2);
});

test('a connection without data times out', () => {
  const { env, phase } = follow();
  env.pass(10_000);
  assert.equal(env.sources[0].closed, true);
  assert.equal(phase(), 'connecting');
  env.pass(500);
  assert.equal(env.sources.length, 2);
});
