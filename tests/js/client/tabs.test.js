// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { shareFeed } from '../../../dashboard/static/client/tabs.js';
import { snapshotOf, applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
import { snapshot, task } from '../support/events.js';
import { world } from '../support/world.js';

/** What a browser gives all of its tabs: one lock, one channel, a clock that we turn. */
function browser() {
  /** @type {{ run: () => Promise<any> | undefined, fail: (why: any) => void }[]} */
  const queue = [];
  /** @type {{ fail: (why: any) => void } | null} */
  let held = null;
  /** @type {Set<any>} */
  const channels = new Set();
  const around = world();

  function grant() {
    const next = held ? undefined : queue.shift();
    if (!next) return;
    held = next;
    const kept = next.run();
    void Promise.resolve(kept).then(() => {
      if (held === next) held = null;
      grant();
    });
  }

  const locks = {
    /** @param {string} _name @param {any} options @param {() => any} run */
    request: (_name, { steal = false, signal }, run) =>
      new Promise((_resolve, fail) => {
        const mine = { run, fail };
        signal?.addEventListener('abort', () => {
          const at = queue.indexOf(mine);
          if (at >= 0) queue.splice(at, 1);
        });
        if (steal) {
          held?.fail(new DOMException('stolen', 'AbortError'));
          held = null;
          queue.unshift(mine);
        } else queue.push(mine);
        queueMicrotask(grant);
      }),
  };

  class Channel {
    /** @type {any} */
    onmessage = null;
    constructor() {
      channels.add(this);
    }
    /** @param {any} data */
    postMessage(data) {
      for (const other of channels) {
        if (other !== this) queueMicrotask(() => other.onmessage?.({ data: structuredClone(data) }));
      }
    }
    close() {
      channels.delete(this);
      this.onmessage = null;
    }
  }

  /** A tab, and what it has come to know. */
  function tab({ isVisible = true, frozen = false } = {}) {
    const state = createState();
    /** @type {number[]} */
    const seen = [];
    const its = { isVisible, frozen };
    const feed = shareFeed(
      {
        board: () => snapshotOf(state),
        snapshot: (data) => applySnapshot(state, data),
        event(event) {
          seen.push(event.id);
          applyEvent(state, event, around.now());
        },
        link: (link) => (state.link = link),
        fault: (cause) => (state.fault = cause),
      },
      /** @type {any} */ ({
        ...around,
        name: 'courtside',
        locks,
        BroadcastChannel: Channel,
        isVisible: () => its.isVisible,
      }),
    );
    return { state, seen, feed, its };
  }

  return {
    tab,
    channels,
    sources: around.sources,
    open: () => around.sources.filter((source) => !source.closed),
    settled: () => new Promise((resolve) => setImmediate(resolve)),
    /** @param {number} ms */
    async pass(ms) {
      around.pass(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

async function twoTabs() {
  const its = browser();
  const first = its.tab();
  await its.settled();
  its.sources[0].says(snapshot({ id: 4, tasks: [task(4)] }), 'snapshot');
  const second = its.tab();
  await its.settled();
  return { its, first, second };
}

test('a tab that joins gets all that another knows, and no connection of its own', async () => {
  const { its, first, second } = await twoTabs();
  assert.equal(its.sources.length, 1);
  assert.deepEqual(snapshotOf(second.state), snapshotOf(first.state));
  assert.equal(second.state.link.phase, 'live');
});

test('what comes to one tab comes to all, once', async () => {
  const { its, first, second } = await twoTabs();
  its.sources[0].says(task(5));
  its.sources[0].says(task(6));
  await its.settled();
  assert.deepEqual(first.seen, [5, 6]);
  assert.deepEqual(second.seen, [5, 6]);
});

test('when the tab that leads is closed the next one goes on from its cursor', async () => {
  const { its, first, second } = await twoTabs();
  const third = its.tab();
  await its.settled();
  its.sources[0].says(task(5));
  await its.settled();
  first.feed.close();
  await its.settled();
  assert.equal(its.open().length, 1);
  assert.equal(its.sources[1].url, 'feed?every_ms=50&after=k3f9-5');
  its.sources[1].onopen();
  its.sources[1].says(task(6));
  await its.settled();
  assert.deepEqual(second.seen, [5, 6]);
  assert.deepEqual(third.seen, [5, 6]);
  assert.equal(third.state.link.phase, 'live');
});

test('a tab that has missed something gets all that the leading one knows', async () => {
  const { its, first, second } = await twoTabs();
  const [, heard] = its.channels;
  const { onmessage } = heard;
  heard.onmessage = null;
  its.sources[0].says(task(5, { status: 'completed' }));
  await its.settled();
  heard.onmessage = onmessage;
  its.sources[0].says(task(6, { task_id: 't2' }));
  await its.settled();
  assert.deepEqual(snapshotOf(second.state), snapshotOf(first.state));
  its.sources[0].says(task(7));
  await its.settled();
  assert.deepEqual(second.seen, [7]);
});

test('a tab that is looked at takes the lead from one that no longer answers', async () => {
  const { its, first, second } = await twoTabs();
  const third = its.tab({ isVisible: false });
  await its.settled();
  const [asleep] = its.channels;
  const { onmessage } = asleep;
  asleep.onmessage = null;
  await its.pass(3_000);
  assert.equal(its.open().length, 1);
  await its.pass(3_000);
  assert.equal(its.sources[1].url, 'feed?every_ms=50&after=k3f9-4');
  // It wakes up: what it still says is known, and it hears what the others hear.
  asleep.onmessage = onmessage;
  its.sources[1].says(task(5));
  await its.settled();
  assert.deepEqual(
    its.open().map(({ url }) => url),
    ['feed?every_ms=50&after=k3f9-4'],
  );
  for (const tab of [first, second, third]) assert.deepEqual(tab.seen, [5]);
});

test('a snapshot that the host sends anew is for every tab', async () => {
  const { its, second } = await twoTabs();
  its.sources[0].says(snapshot({ id: 2, reset: true, reason: 'the log is another' }), 'snapshot');
  await its.settled();
  assert.equal(second.state.reset_reason, 'the log is another');
  its.sources[0].says(task(3));
  await its.settled();
  assert.deepEqual(second.seen, [3]);
});

test('why the log of the host fails is said in every tab, and in one that joins', async () => {
  const { its, second } = await twoTabs();
  its.sources[0].says({ cause: 'disk full' }, 'fault');
  const third = its.tab();
  await its.settled();
  assert.equal(second.state.fault, 'disk full');
  assert.equal(third.state.fault, 'disk full');
  its.sources[0].onerror();
  await its.settled();
  assert.equal(third.state.fault, null);
});

test('retry now in any tab is for the one connection', async () => {
  const { its, second } = await twoTabs();
  its.sources[0].onerror();
  await its.settled();
  assert.equal(second.state.link.phase, 'reconnecting');
  second.feed.retryNow();
  await its.settled();
  assert.equal(its.open().length, 1);
  its.sources[1].onopen();
  await its.settled();
  assert.equal(second.state.link.phase, 'live');
});

test('without locks each tab has a connection of its own', () => {
  const urls = /** @type {string[]} */ ([]);
  class Source extends EventTarget {
    /** @param {string} url */
    constructor(url) {
      super();
      urls.push(url);
    }
    close() {}
  }
  const world = { EventSource: Source, setTimeout: () => 0, clearTimeout() {}, now: () => 0 };
  shareFeed(
    /** @type {any} */ ({ board() {}, snapshot() {}, event() {}, link() {}, fault() {} }),
    /** @type {any} */ (world),
  );
  assert.deepEqual(urls, ['feed?every_ms=50']);
});
