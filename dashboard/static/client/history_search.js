// @ts-check
// Owns the search of the whole log: what is asked of the host, the pages that came, where
// the next one begins. view/history.js draws it. A recording is searched here, in memory.

import { matches } from '../state/selectors.js';
import { eventText } from '../state/labels.js';

/**
 * @typedef {import('../state/types.d.ts').State} State
 * @typedef {import('../state/types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('../state/ui.js').Ui} Ui
 * @typedef {Ui['filter']} Filter
 * @typedef {ReturnType<typeof createPast>} Past
 */

const PAGE = 200;

/** What the filter asks of /feed.ndjson, without a page. @param {Filter} filter */
export function queryOf(filter) {
  const query = new URLSearchParams();
  const { agents, failed, task, q, status, since, until } = filter;
  const [agent] = task?.split('/', 1) ?? [];
  for (const name of agents) query.append('agent', name);
  // A task id is its agent's own: two agents may have the same.
  if (agent && task && agents.size === 0) query.append('agent', agent);
  if (agent && task) query.append('task', task.slice(agent.length + 1));
  if (failed) for (const each of ['error', 'rejected']) query.append('status', each);
  if (status && !failed) query.append('status', status);
  for (const [name, value] of Object.entries({ q, since, until })) {
    if (value) query.append(name, value);
  }
  return query;
}

/**
 * What somebody typed to jump to: an id, or a time, which may be of the day only.
 * @param {string} text @param {number} now_ms @returns {{ id: number } | { ms: number } | null}
 */
export function targetOf(text, now_ms) {
  const id = /^(?:[0-9a-z]+-)?#?(\d{1,15})$/.exec(text.trim());
  if (id) return { id: Number(id[1]) };
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d)(\.\d{1,3})?)?$/.exec(text.trim());
  if (clock) {
    const [, hours, minutes, seconds = '0', rest = '0'] = clock;
    const at = new Date(now_ms);
    at.setHours(Number(hours), Number(minutes), Number(seconds), Number(rest) * 1_000);
    // A time of day that is still to come was yesterday.
    if (at.getTime() > now_ms) at.setDate(at.getDate() - 1);
    return { ms: at.getTime() };
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : { ms };
}

/**
 * Whether an event is found, as the host would say.
 * @param {FeedEvent} event @param {Filter} filter
 */
export function isFound(event, filter) {
  const { q, status, since, until } = filter;
  if (!matches(event, filter)) return false;
  if (status && !(event.kind === 'task' && event.status === status)) return false;
  if (since && event.received_at < since) return false;
  if (until && event.received_at > until) return false;
  if (!q) return true;
  const id = 'task_id' in event ? event.task_id : '';
  const context = 'context_id' in event ? event.context_id : '';
  const said = `${event.agent} ${id} ${context} ${eventText(event)}`;
  return said.toLowerCase().includes(q.toLowerCase());
}

/**
 * @param {State} state @param {Ui} ui @param {() => void} redraw
 * @param {typeof fetch} [ask]
 */
export function createPast(state, ui, redraw, ask = (...all) => fetch(...all)) {
  const at = {
    /** Oldest first. @type {FeedEvent[]} */
    rows: [],
    /** The query that the rows answer; null before any. @type {string | null} */
    key: null,
    /** The log that they are of. @type {string | null} */
    epoch: null,
    /** Where older ones begin; null where there are none. @type {number | null} */
    before: null,
    /** The newest id that was looked at. */
    after: 0,
    /** @type {'idle' | 'loading'} */
    loading: 'idle',
    /** What the host or the page says of a search that failed. */
    error: '',
    /** The id jumped to. @type {number | null} */
    mark: null,
    list: { top: 0, height: 0, row: 32, head: 0 },
  };

  /** Grows with every new beginning. */
  let turn = 0;

  /** @param {number} before @param {number | null} [mark] */
  function begin(before, mark = null) {
    turn += 1;
    const key = queryOf(ui.filter).toString();
    Object.assign(at, { rows: [], key, epoch: state.epoch, before, after: before - 1, mark, error: '' });
    at.loading = 'idle';
    at.list.top = 0;
  }

  /** @param {Record<string, string | number>} page */
  async function fetchPage(page) {
    const query = queryOf(ui.filter);
    for (const [name, value] of Object.entries(page)) query.set(name, String(value));
    const response = await ask(`feed.ndjson?${query}`);
    const text = await response.text();
    if (!response.ok) throw new Error(text.trim() || `The host answered ${response.status}.`);
    const events = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => /** @type {FeedEvent} */ (JSON.parse(line)));
    const next = response.headers.get('courtside-next');
    const searches = ['q', 'status', 'since', 'until'].some((name) => query.has(name));
    return { events, next: next === null ? null : Number(next), searches };
  }

  /** Runs one request; what comes after another search has begun is dropped. @param {() => Promise<() => void>} run */
  async function load(run) {
    if (at.loading === 'loading') return;
    at.loading = 'loading';
    at.error = '';
    const mine = turn;
    redraw();
    try {
      const put = await run();
      if (mine === turn) put();
    } catch (error) {
      if (mine === turn) at.error = error instanceof Error ? error.message : String(error);
    }
    if (mine === turn) at.loading = 'idle';
    redraw();
  }

  const moves = {
    /** Begins anew when the question is another. */
    settle() {
      const key = queryOf(ui.filter).toString();
      const same = at.key === key && at.epoch === state.epoch;
      if (state.link.phase === 'recording') {
        if (same) return;
        begin(0);
        at.before = null;
        at.rows = state.rows.filter((event) => isFound(event, ui.filter));
      } else if (!same) begin(state.head + 1);
      const { top, height, row } = at.list;
      const near = top + height > (at.rows.length - 20) * row;
      if (near && at.before !== null && !at.error) void moves.older();
    },

    older: () =>
      load(async () => {
        const before = at.before ?? 0;
        const { events, next, searches } = await fetchPage({ before, limit: PAGE });
        return () => {
          at.rows = events.concat(at.rows);
          at.before = next ?? (searches ? null : (events[0]?.id ?? null));
        };
      }),

    newer: () =>
      load(async () => {
        const { after } = at;
        const { head } = state;
        const { events, next } = await fetchPage({ after, limit: PAGE });
        return () => {
          at.rows = at.rows.concat(events);
          const last = events.length < PAGE ? head : events[events.length - 1].id;
          at.after = next ?? last;
          at.list.top += events.length * at.list.row;
        };
      }),

    /** @param {string} text @param {number} now_ms */
    async jump(text, now_ms) {
      const target = targetOf(text, now_ms);
      if (!target) {
        at.error = `“${text}” is neither an id, as 4182, nor a time, as 14:05 or 2026-11-22 14:05.`;
      } else if (state.link.phase === 'recording') {
        const older = at.rows.filter((event) =>
          'id' in target ? event.id <= target.id : Date.parse(event.received_at) <= target.ms,
        );
        at.mark = older[older.length - 1]?.id ?? null;
        at.list.top = (at.rows.length - older.length) * at.list.row;
      } else if ('id' in target) {
        begin(target.id + 1, target.id);
      } else {
        await jumpToTime(target.ms);
      }
      redraw();
    },

    /** @param {number} top px */
    scrolled(top) {
      at.list.top = top;
      redraw();
    },
  };

  /** The last event at that time or before it. @param {number} ms */
  async function jumpToTime(ms) {
    at.loading = 'idle';
    await load(async () => {
      const until = new Date(ms).toISOString();
      let before = state.head + 1;
      for (;;) {
        const response = await ask(`feed.ndjson?until=${until}&before=${before}&limit=1`);
        const text = await response.text();
        if (!response.ok) throw new Error(text.trim());
        const next = response.headers.get('courtside-next');
        const { id } = text ? JSON.parse(text) : { id: next === null ? 1 : null };
        if (id !== null) return () => begin(id + 1, id);
        before = Number(next);
      }
    });
  }

  return Object.assign(at, moves);
}
