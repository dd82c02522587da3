// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { shareFeed } from '../../../dashboard/static/client/tabs.js';
import { applyEvent, applySnapshot, createState, toSnapshot } from '../../../dashboard/static/state/store.js';
import { snapshot, task } from '../support/events.js';
import { fakeBrowser } from '../support/fake_browser.js';

/** What a browser gives all of its tabs: one lock, one channel, a clock that we turn. */
function sharedBrowser() {
  /** @type {{ run: () => Promise<any> | undefined, fail: (why: any) => void }[]} */
  const queue = [];
  /** @type {{ fail: (why: any) => void } | null} */
  let held = null;
  /** @type {Set<any>} */
  const channels = new Set();
  const fake = fakeBrowser();

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
    const env = { isVisible, frozen };
    const feed = shareFeed(
      {
        board: () => toSnapshot(state),
        snapshot: (data) => applySnapshot(state, data),
        event(event) {
          seen.push(event.id);
          applyEvent(state, event, fake.now());
        },
        link: (link) => (state.link = link),
        fault: (cause) => (state.fault = cause),
      },
      /** @type {any} */ ({
        ...fake,
        name: 'courtside',
        locks,
        BroadcastChannel: Channel,
        isVisible: () => env.isVisible,
      }),
    );
    return { state, seen, feed, env };
  }

  return {
    tab,
    channels,
    sources: fake.sources,
    open: () => fake.sources.filter((source) => !source.closed),
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    /** @param {number} ms */
    async pass(ms) {
      fake.pass(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

async function twoTabs() {
  const env = sharedBrowser();
  const first = env.tab();
  await env.settle();
  env.sources[0].emit(snapshot({ id: 4, tasks: [task(4)] }), 'snapshot');
  const second = env.tab();
  await env.settle();
  return { env, first, second };
}

test('a tab that joins gets the state of the leader, and no connection of its own', async () => {
  const { env, first, second } = await twoTabs();
  assert.equal(env.sources.length, 1);
  assert.deepEqual(toSnapshot(second.state), toSnapshot(first.state));
  assert.equal(second.state.link.phase, 'live');
});

test('an event reaches every tab once', async () => {
  const { env, first, second } = await twoTabs();
  env.sources[0].emit(task(5));
  env.sources[0].emit(task(6));
  await env.settle();
  assert.deepEqual(first.seen, [5, 6]);
  assert.deepEqual(second.seen, [5, 6]);
});

test('when the leader is closed the next tab continues from its cursor', async () => {
  const { env, first, second } = await twoTabs();
  const third = env.tab();
  await env.settle();
  env.sources[0].emit(task(5));
  await env.settle();
  first.feed.close();
  await env.settle();
  assert.equal(env.open().length, 1);
  assert.equal(env.sources[1].url, 'feed?every_ms=50&after=k3f9-5');
  env.sources[1].onopen();
  env.sources[1].emit(task(6));
  await env.settle();
  assert.deepEqual(second.seen, [5, 6]);
  assert.deepEqual(third.seen, [5, 6]);
  assert.equal(third.state.link.phase, 'live');
});

test('a tab that missed an event gets the state of the leader', async () => {
  const { env, first, second } = await twoTabs();
  const [, channel] = env.channels;
  const { onmessage } = channel;
  channel.onmessage = null;
  env.sources[0].emit(task(5, { status: 'completed' }));
  await env.settle();
  channel.onmessage = onmessage;
  env.sources[0].emit(task(6, { task_id: 't2' }));
  await env.settle();
  assert.deepEqual(toSnapshot(second.state), toSnapshot(first.state));
  env.sources[0].emit(task(7));
  await env.settle();
  assert.deepEqual(second.seen, [7]);
});

test('a visible tab takes the lead from one that does not answer', async () => {
  const { env, first, second } = await twoTabs();
  const third = env.tab({ isVisible: false });
  await env.settle();
  const [suspended] = env.channels;
  const { onmessage } = suspended;
  suspended.onmessage = null;
  await env.pass(3_000);
  assert.equal(env.open().length, 1);
  await env.pass(3_000);
  assert.equal(env.sources[1].url, 'feed?every_ms=50&after=k3f9-4');
  // It wakes up: what it still says is known, and it hears what the others hear.
  suspended.onmessage = onmessage;
  env.sources[1].emit(task(5));
  await env.settle();
  assert.deepEqual(
    env.open().map(({ url }) => url),
    ['feed?every_ms=50&after=k3f9-4'],
  );
  for (const tab of [first, second, third]) assert.deepEqual(tab.seen, [5]);
});

test('a new snapshot reaches every tab', async () => {
  const { env, second } = await twoTabs();
  env.sources[0].emit(snapshot({ id: 2, reset: true, reason: 'the log is another' }), 'snapshot');
  await env.settle();
  assert.equal(second.state.reset_reason, 'the log is another');
  env.sources[0].emit(task(3));
  await env.settle();
  assert.deepEqual(second.seen, [3]);
});

test('a fault reaches every tab, and one that joins', async () => {
  const { env, second } = await twoTabs();
  env.sources[0].emit({ cause: 'disk full' }, 'fault');
  const third = env.tab();
  await env.settle();
  assert.equal(second.state.fault, 'disk full');
  assert.equal(third.state.fault, 'disk full');
  env.sources[0].onerror();
  await env.settle();
  assert.equal(third.state.fault, null);
});

test('a retry in any tab is for the one connection', async () => {
  const { env, second } = await twoTabs();
  env.sources[0].onerror();
  await env.settle();
  assert.equal(second.state.link.phase, 'reconnecting');
  second.feed.retryNow();
  await env.settle();
  assert.equal(env.open().length, 1);
  env.sources[1].onopen();
  await env.settle();
  assert.equal(second.state.link.phase, 'live');
});

test('without locks each tab has its own connection', () => {
  const urls = /** @type {string[]} */ ([]);
  class Source extends EventTarget {
    /** @param {string} url */
    constructor(url) {
      super();
      urls.push(url);
    }
    close() {}
  }
  const fakeBrowser = { EventSource: Source, setTimeout: () => 0, clearTimeout() {}, now: () => 0 };
  shareFeed(
    /** @type {any} */ ({ board() {}, snapshot() {}, event() {}, link() {}, fault() {} }),
    /** @type {any} */ (fakeBrowser),
  );
  assert.deepEqual(urls, ['feed?every_ms=50']);
});
