// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { createPast, isFound, queryOf, targetOf } from '../../../dashboard/static/client/history_search.js';
import { applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
import { createUi } from '../../../dashboard/static/state/ui.js';
import { agent, at, snapshot, task } from '../support/events.js';

/** @typedef {import('../../../dashboard/static/state/types.d.ts').FeedEvent} FeedEvent */

test('a search asks the host for all of it', () => {
  /** @param {string} search */
  const asked = (search) => queryOf(createUi(search).filter).toString();
  assert.equal(asked('?tab=history'), '');
  assert.equal(
    asked('?agent=carly&agent=walter&q=rain+%26+sun&status=error&since=S&until=U'),
    'agent=carly&agent=walter&status=error&q=rain+%26+sun&since=S&until=U',
  );
  assert.equal(asked('?failed'), 'status=error&status=rejected');
  assert.equal(asked('?task=carly/a/b'), 'agent=carly&task=a%2Fb');
});

test('one jumps to an id, a cursor, a time of the day, or a time', () => {
  const now = new Date(2026, 10, 22, 12, 0).getTime();
  assert.deepEqual(targetOf(' 4182 ', now), { id: 4182 });
  assert.deepEqual(targetOf('#7', now), { id: 7 });
  assert.deepEqual(targetOf('k3f9-4182', now), { id: 4182 });
  assert.deepEqual(targetOf('9:05', now), { ms: new Date(2026, 10, 22, 9, 5).getTime() });
  assert.deepEqual(targetOf('23:59:58.5', now), {
    ms: new Date(2026, 10, 21, 23, 59, 58, 500).getTime(),
  });
  assert.deepEqual(targetOf('2026-11-22T12:00:00Z', now), { ms: Date.UTC(2026, 10, 22, 12) });
  assert.equal(targetOf('tomorrow-ish', now), null);
});

test('a recording is searched as the host would', () => {
  const event = task(3, { message: 'Rain at SEVEN', status: 'error' });
  const other = agent(4);
  /** @param {string} search */
  const found = (search) =>
    [event, other].filter((each) => isFound(each, createUi(search).filter)).map(({ id }) => id);
  assert.deepEqual(found(''), [3, 4]);
  assert.deepEqual(found('?q=rain+at+seven'), [3]);
  assert.deepEqual(found('?q=snow'), []);
  assert.deepEqual(found('?status=error'), [3]);
  assert.deepEqual(found('?status=running'), []);
  assert.deepEqual(found(`?since=${at(4)}`), [4]);
  assert.deepEqual(found(`?until=${at(3)}`), [3]);
  assert.deepEqual(found('?agent=walter'), []);
});

/** A host with these events, which looks at `share` of them at a request. @param {FeedEvent[]} log @param {number} share */
function hostOf(log, share) {
  /** @type {string[]} */
  const asked = [];
  const ask = async (/** @type {any} */ url) => {
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
  return { ask: /** @type {typeof fetch} */ (ask), asked };
}

/** @param {string} search @param {number} count @param {number} share */
function pastOf(search, count, share) {
  const log = Array.from({ length: count }, (_, i) =>
    task(i + 1, { message: i % 50 === 0 ? 'rain' : 'dry' }),
  );
  const { ask, asked } = hostOf(log, share);
  const state = createState();
  applySnapshot(state, snapshot({ id: count }));
  const ui = createUi(search);
  const past = createPast(state, ui, () => {}, ask);
  return { log, past, ui, state, asked };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test('the whole log is scrolled through by pages, each event once', async () => {
  const { past, log, asked } = pastOf('?tab=history', 950, 1e9);
  past.list.height = 400;
  past.settle();
  await settled();
  assert.equal(past.rows.length, 200);
  past.settle();
  assert.equal(asked.length, 1, 'what is in sight is enough');
  while (past.before !== null) {
    past.scrolled(past.rows.length * 32);
    past.settle();
    await settled();
  }
  assert.deepEqual(past.rows, log);
});

test('a search goes on where the host stopped looking, until all is found', async () => {
  const { past, asked } = pastOf('?tab=history&q=rain', 900, 100);
  past.list.height = 4_000;
  do {
    past.settle();
    await settled();
  } while (past.before !== null);
  assert.equal(past.rows.length, 18);
  assert.equal(asked.length, 9);
});

test('another question begins anew, and answers to the one before are dropped', async () => {
  const { past, ui } = pastOf('?tab=history', 900, 1e9);
  past.settle();
  ui.filter.q = 'rain';
  past.settle();
  await settled();
  past.settle();
  await settled();
  assert.ok(past.rows.length > 0);
  assert.ok(past.rows.every((row) => row.kind === 'task' && row.message === 'rain'));
});

test('a jump shows that event first, with newer ones to be had', async () => {
  const { past, log, state } = pastOf('?tab=history', 900, 1e9);
  await past.jump('500', 0);
  past.settle();
  await settled();
  assert.equal(past.mark, 500);
  assert.equal(past.rows[past.rows.length - 1].id, 500);
  while (past.after < state.head) await past.newer();
  assert.deepEqual(past.rows, log.slice(300));
});

test('what is neither an id nor a time is said to be so', async () => {
  const { past } = pastOf('?tab=history', 9, 9);
  await past.jump('soon', 0);
  assert.match(past.error, /“soon” is neither an id/);
});

test('a refusal of the host is said, and not asked for again by itself', async () => {
  const { past, state, ui } = pastOf('?tab=history&q=x', 9, 9);
  let asked = 0;
  const refuse = async () => {
    asked += 1;
    return new Response('q has 201 characters', { status: 400 });
  };
  const refused = createPast(state, ui, () => {}, /** @type {typeof fetch} */ (refuse));
  refused.settle();
  await settled();
  refused.settle();
  await settled();
  assert.equal(refused.error, 'q has 201 characters');
  assert.equal(asked, 1);
  assert.equal(past.error, '');
});

test('a recording is searched without a host', () => {
  const state = createState();
  applySnapshot(state, snapshot());
  for (const id of [1, 2, 3]) applyEvent(state, task(id, { message: id === 2 ? 'rain' : '' }), 0);
  state.link.phase = 'recording';
  const past = createPast(state, createUi('?q=rain'), () => {}, () => assert.fail('asked a host'));
  past.settle();
  assert.deepEqual(past.rows.map(({ id }) => id), [2]);
  assert.equal(past.before, null);
});
