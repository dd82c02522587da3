// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { HistorySearch, matchesSearch, toQuery, parseTarget } from '../../../dashboard/static/client/history_search.js';
import { applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
import { createUi } from '../../../dashboard/static/state/ui.js';
import { agent, at, snapshot, task } from '../support/events.js';

/** @typedef {import('../../../dashboard/static/state/types.d.ts').FeedEvent} FeedEvent */

test('a filter becomes the query of the host', () => {
  /** @param {string} search */
  const asked = (search) => toQuery(createUi(search).filter).toString();
  assert.equal(asked('?tab=history'), '');
  assert.equal(
    asked('?agent=carly&agent=walter&q=rain+%26+sun&status=error&since=S&until=U'),
    'agent=carly&agent=walter&status=error&q=rain+%26+sun&since=S&until=U',
  );
  assert.equal(asked('?failed'), 'status=error&status=rejected');
  assert.equal(asked('?task=carly/a/b'), 'agent=carly&task=a%2Fb');
});

test('a jump accepts an id, a cursor, a time of day, or a date', () => {
  const now = new Date(2026, 10, 22, 12, 0).getTime();
  assert.deepEqual(parseTarget(' 4182 ', now), { id: 4182 });
  assert.deepEqual(parseTarget('#7', now), { id: 7 });
  assert.deepEqual(parseTarget('k3f9-4182', now), { id: 4182 });
  assert.deepEqual(parseTarget('9:05', now), { ms: new Date(2026, 10, 22, 9, 5).getTime() });
  assert.deepEqual(parseTarget('23:59:58.5', now), {
    ms: new Date(2026, 10, 21, 23, 59, 58, 500).getTime(),
  });
  assert.deepEqual(parseTarget('2026-11-22T12:00:00Z', now), { ms: Date.UTC(2026, 10, 22, 12) });
  assert.equal(parseTarget('tomorrow-ish', now), null);
});

test('a recording is searched by the rules of the host', () => {
  const event = task(3, { message: 'Rain at SEVEN', status: 'error' });
  const other = agent(4);
  /** @param {string} search */
  const found = (search) =>
    [event, other].filter((each) => matchesSearch(each, createUi(search).filter)).map(({ id }) => id);
  assert.deepEqual(found(''), [3, 4]);
  assert.deepEqual(found('?q=rain+at+seven'), [3]);
  assert.deepEqual(found('?q=snow'), []);
  assert.deepEqual(found('?status=error'), [3]);
  assert.deepEqual(found('?status=running'), []);
  assert.deepEqual(found(`?since=${at(4)}`), [4]);
  assert.deepEqual(found(`?until=${at(3)}`), [3]);
  assert.deepEqual(found('?agent=walter'), []);
});

const LOG_USE = { bytes: 1_500, keep_bytes: 9_000, dropped: 0 };

/** A host with these events, which looks at `share` of them at a request. @param {FeedEvent[]} log @param {number} share */
function fakeHost(log, share) {
  /** @type {string[]} */
  const asked = [];
  const fetchFn = async (/** @type {any} */ url) => {
    if (url === 'debug.json') return new Response(JSON.stringify({ feed: { log: LOG_USE } }));
    asked.push(url);
    const query = new URL(url, 'http://host').searchParams;
    const limit = Number(query.get('limit'));
    const before = Number(query.get('before') ?? Infinity);
    const after = Number(query.get('after') ?? -1);
    const backward = !query.has('after');
    const there = log.filter(({ id }) => id < before && id > after);
    const looked = backward ? there.slice(-share) : there.slice(0, share);
    const q = query.get('q') ?? '';
    const hits = looked.filter((event) => JSON.stringify(event).includes(q));
    const events = backward ? hits.slice(-limit) : hits.slice(0, limit);
    const whole = looked.length === there.length && events.length === hits.length;
    const headers = new Headers();
    if (q && !whole) {
      const end = events.length < hits.length ? events : looked;
      const next = backward ? end[0].id : end[end.length - 1].id;
      headers.set('courtside-next', String(next));
    }
    return new Response(events.map((event) => JSON.stringify(event)).join('\n'), { headers });
  };
  return { fetchFn: /** @type {typeof fetch} */ (fetchFn), asked };
}

/** @param {string} query @param {number} count @param {number} share */
function searchOf(query, count, share) {
  const log = Array.from({ length: count }, (_, i) =>
    task(i + 1, { message: i % 50 === 0 ? 'rain' : 'dry' }),
  );
  const { fetchFn, asked } = fakeHost(log, share);
  const state = createState();
  applySnapshot(state, snapshot({ id: count }));
  const ui = createUi(query);
  const search = new HistorySearch(state, ui, () => {}, fetchFn);
  return { log, search, ui, state, asked };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

test('scrolling loads the whole log in pages, each event once', async () => {
  const { search, log, asked } = searchOf('?tab=history', 950, 1e9);
  search.list.height = 400;
  search.update();
  await settle();
  assert.equal(search.rows.length, 200);
  search.update();
  assert.equal(asked.length, 1, 'what is in sight is enough');
  while (search.before !== null) {
    search.scroll(search.rows.length * 32);
    search.update();
    await settle();
  }
  assert.deepEqual(search.rows, log);
  assert.deepEqual(search.log, LOG_USE);
});

test('a search continues where the host stopped, until all is found', async () => {
  const { search, asked } = searchOf('?tab=history&q=rain', 900, 100);
  search.list.height = 4_000;
  do {
    search.update();
    await settle();
  } while (search.before !== null);
  assert.equal(search.rows.length, 18);
  assert.equal(asked.length, 9);
});

test('a new query starts again, and late responses of the old one are dropped', async () => {
  const { search, ui } = searchOf('?tab=history', 900, 1e9);
  search.update();
  ui.filter.q = 'rain';
  search.update();
  await settle();
  search.update();
  await settle();
  assert.ok(search.rows.length > 0);
  assert.ok(search.rows.every((row) => row.kind === 'task' && row.message === 'rain'));
});

test('a jump shows that event first, and newer ones can be loaded', async () => {
  const { search, log, state } = searchOf('?tab=history', 900, 1e9);
  await search.jump('500', 0);
  search.update();
  await settle();
  assert.equal(search.mark, 500);
  assert.equal(search.rows[search.rows.length - 1].id, 500);
  while (search.after < state.head) await search.loadNewer();
  assert.deepEqual(search.rows, log.slice(300));
});

test('a jump to neither an id nor a time is an error', async () => {
  const { search } = searchOf('?tab=history', 9, 9);
  await search.jump('soon', 0);
  assert.match(search.error, /“soon” is neither an id/);
});

test('an error of the host is shown and not retried', async () => {
  const { search, state, ui } = searchOf('?tab=history&q=x', 9, 9);
  let asked = 0;
  const fetchFn = async () => {
    asked += 1;
    return new Response('q has 201 characters', { status: 400 });
  };
  const refused = new HistorySearch(state, ui, () => {}, /** @type {typeof fetch} */ (fetchFn));
  refused.update();
  await settle();
  refused.update();
  await settle();
  assert.equal(refused.error, 'q has 201 characters');
  assert.equal(asked, 1);
  assert.equal(search.error, '');
});

test('a recording is searched without a host', () => {
  const state = createState();
  applySnapshot(state, snapshot());
  for (const id of [1, 2, 3]) applyEvent(state, task(id, { message: id === 2 ? 'rain' : '' }), 0);
  state.link.phase = 'recording';
  const search = new HistorySearch(state, createUi('?q=rain'), () => {}, () => assert.fail('asked a host'));
  search.update();
  assert.deepEqual(search.rows.map(({ id }) => id), [2]);
  assert.equal(search.before, null);
});
