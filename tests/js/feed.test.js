// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { followFeed } from '../../dashboard/static/feed.js';
import { snapshot, task } from './events.js';

/** A world of our own: sources that we open and break, and a clock that we turn. */
function world() {
  /** @type {any[]} */
  const sources = [];
  /** @type {{ run: () => void, at: number }[]} */
  let timers = [];
  let now = 0;
  class Source extends EventTarget {
    /** @param {string} url */
    constructor(url) {
      super();
      this.url = url;
      this.closed = false;
      /** @type {any} */
      this.onopen = this.onerror = this.onmessage = null;
      sources.push(this);
    }
    close() {
      this.closed = true;
    }
    /** @param {object} data @param {string} lastEventId @param {string} [type] */
    says(data, lastEventId, type = 'message') {
      const event = new MessageEvent(type, { data: JSON.stringify(data), lastEventId });
      if (type === 'message') this.onmessage(event);
      else this.dispatchEvent(event);
    }
  }
  return {
    sources,
    EventSource: /** @type {any} */ (Source),
    /** @param {() => void} run @param {number} ms */
    setTimeout(run, ms) {
      const timer = { run, at: now + ms };
      timers.push(timer);
      return timer;
    },
    /** @param {any} timer */
    clearTimeout(timer) {
      timers = timers.filter((other) => other !== timer);
    },
    now: () => now,
    random: () => 1,
    /** @param {number} ms */
    pass(ms) {
      now += ms;
      const due = timers.filter((timer) => timer.at <= now);
      timers = timers.filter((timer) => timer.at > now);
      for (const timer of due) timer.run();
    },
  };
}

function following() {
  const its = world();
  /** @type {any[]} */
  const got = [];
  /** @type {import('../../dashboard/static/types.d.ts').Link[]} */
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
  assert.equal(its.sources[0].url, 'feed');
  assert.equal(phase(), 'connecting');
  its.sources[0].onopen();
  assert.equal(phase(), 'connecting');
  its.sources[0].says(snapshot({ id: 4 }), 'k3f9-4', 'snapshot');
  assert.equal(phase(), 'live');
  assert.equal(got[0].id, 4);
});

test('a reconnect goes on after the last event that was seen', () => {
  const { its, phase } = following();
  its.sources[0].says(snapshot({ id: 4 }), 'k3f9-4', 'snapshot');
  its.sources[0].says(task(5), 'k3f9-5');
  its.sources[0].onerror();
  assert.equal(its.sources[0].closed, true);
  assert.equal(phase(), 'reconnecting');
  its.pass(500);
  assert.equal(its.sources[1].url, 'feed?after=k3f9-5');
  its.sources[1].onopen();
  assert.equal(phase(), 'live');
});

test('a log that fails is told, and no longer than the host says so', () => {
  const { its, got, faults } = following();
  its.sources[0].says(snapshot({ id: 4 }), 'k3f9-4', 'snapshot');
  its.sources[0].says({ cause: 'disk full' }, 'k3f9-4', 'fault');
  assert.deepEqual(faults, ['disk full']);
  assert.equal(got.length, 1);
  its.sources[0].says({ cause: null }, 'k3f9-4', 'fault');
  its.sources[0].says({ cause: 'disk full' }, 'k3f9-4', 'fault');
  its.sources[0].onerror();
  assert.deepEqual(faults, ['disk full', null, 'disk full', null]);
});

test('attempts are counted, announced with their time, and further and further apart', () => {
  const { its, links } = following();
  its.sources[0].says(snapshot(), 'k3f9-0', 'snapshot');
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
