// @ts-check
// Search the whole log: build the query, fetch pages of results, jump to an id or a time.
// A recording is searched in memory. view/history.js shows the results.

import { eventText } from '../state/labels.js';
import { matchesFilter, splitKey } from '../state/selectors.js';
import { FAILED } from '../state/status.js';
import { isNearEnd } from '../state/ui.js';
import { fetchEvents, fetchLogUse } from './feed.js';
/** @import { FeedEvent, State } from '../state/types.d.ts' */
/** @import { Filter, Ui } from '../state/ui.js' */

const PAGE = 200;

/** Return the query of a filter for /feed.ndjson, without a page. @param {Filter} filter */
export function toQuery({ agents, failed, task, q, status, since, until }) {
  const query = new URLSearchParams();
  for (const name of agents) query.append('agent', name);
  if (task) {
    const { agent, task_id } = splitKey(task);
    // Two agents may use the same task id.
    if (agents.size === 0) query.append('agent', agent);
    query.append('task', task_id);
  }
  if (failed) for (const each of FAILED) query.append('status', each);
  if (status && !failed) query.append('status', status);
  for (const [name, value] of Object.entries({ q, since, until })) {
    if (value) query.append(name, value);
  }
  return query;
}

/**
 * Parse what the user typed to jump to: an id, a date, or a time of the last 24 hours.
 * @param {string} text @param {number} now_ms @returns {{ id: number } | { ms: number } | null}
 */
export function parseTarget(text, now_ms) {
  const id = /^(?:[0-9a-z]+-)?#?(\d{1,15})$/.exec(text.trim());
  if (id) return { id: Number(id[1]) };
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d)(\.\d{1,3})?)?$/.exec(text.trim());
  if (clock) {
    const [, hours, minutes, seconds = '0', fraction = '0'] = clock;
    const at = new Date(now_ms);
    at.setHours(Number(hours), Number(minutes), Number(seconds), Number(fraction) * 1_000);
    if (at.getTime() > now_ms) at.setDate(at.getDate() - 1);
    return { ms: at.getTime() };
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : { ms };
}

/**
 * Return whether an event matches, by the same rules as the host's search.
 * @param {FeedEvent} event @param {Filter} filter
 */
export function matchesSearch(event, filter) {
  const { q, status, since, until } = filter;
  if (!matchesFilter(event, filter)) return false;
  if (status && !(event.kind === 'task' && event.status === status)) return false;
  if (since && event.received_at < since) return false;
  if (until && event.received_at > until) return false;
  if (!q) return true;
  const id = 'task_id' in event ? event.task_id : '';
  const context = 'context_id' in event ? event.context_id : '';
  const text = `${event.agent} ${id} ${context} ${eventText(event)}`;
  return text.toLowerCase().includes(q.toLowerCase());
}

export class HistorySearch {
  /** Oldest first. @type {FeedEvent[]} */
  rows = [];
  /** The query of the rows; null before the first. @type {string | null} */
  key = null;
  /** The log of the rows. @type {string | null} */
  epoch = null;
  /** Older rows come before this id; null if there are none. @type {number | null} */
  before = null;
  /** How full the log is, at the end of the rows. @type {Awaited<ReturnType<typeof fetchLogUse>> | null} */
  log = null;
  /** Newer rows come after this id. */
  after = 0;
  is_loading = false;
  /** Why the last search failed, or ''. */
  error = '';
  /** The id that the user jumped to. @type {number | null} */
  mark = null;
  list = { top: 0, height: 0, row_height: 32, head: 0 };
  /** Counts the searches, so that a late response is dropped. */
  generation = 0;

  /**
   * @param {State} state @param {Ui} ui @param {() => void} redraw
   * @param {typeof fetch} [fetchFn]
   */
  constructor(state, ui, redraw, fetchFn) {
    this.state = state;
    this.ui = ui;
    this.redraw = redraw;
    this.fetchFn = fetchFn;
  }

  /** Start a new search if the filter or the log has changed. */
  update() {
    const { state } = this;
    const is_same = this.key === toQuery(this.ui.filter).toString() && this.epoch === state.epoch;
    if (state.link.phase === 'recording') {
      if (is_same) return;
      this.restart(null);
      this.rows = state.rows.filter((event) => matchesSearch(event, this.ui.filter));
    } else if (!is_same) this.restart(state.head + 1);
    if (this.before === null || this.error) return;
    if (isNearEnd(this.list, this.rows.length)) void this.loadOlder();
  }

  /** Start a new search. @param {number | null} before @param {number | null} [mark] */
  restart(before, mark = null) {
    this.generation += 1;
    this.key = toQuery(this.ui.filter).toString();
    this.epoch = this.state.epoch;
    this.rows = [];
    this.before = before;
    this.log = null;
    this.after = (before ?? 0) - 1;
    this.mark = mark;
    this.error = '';
    this.is_loading = false;
    this.list.top = 0;
  }

  /** @param {URLSearchParams} query @param {Record<string, string | number>} page */
  fetchPage(query, page) {
    for (const [name, value] of Object.entries(page)) query.set(name, String(value));
    return fetchEvents(query, this.fetchFn);
  }

  /**
   * Run one request. Ignore its result if another search has started meanwhile.
   * @param {() => Promise<() => void>} run returns a function that puts the result
   */
  async load(run) {
    if (this.is_loading) return;
    this.is_loading = true;
    this.error = '';
    const { generation } = this;
    this.redraw();
    try {
      const put = await run();
      if (generation === this.generation) put();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (generation === this.generation) this.error = text;
    }
    if (generation === this.generation) this.is_loading = false;
    this.redraw();
  }

  loadOlder() {
    return this.load(async () => {
      const query = toQuery(this.ui.filter);
      const is_sparse = ['q', 'status', 'since', 'until'].some((name) => query.has(name));
      const { events, next } = await this.fetchPage(query, { before: this.before ?? 0, limit: PAGE });
      const before = next ?? (is_sparse ? null : (events[0]?.id ?? null));
      const log = before === null ? await fetchLogUse(this.fetchFn) : null;
      return () => {
        this.rows = events.concat(this.rows);
        this.before = before;
        this.log = log;
      };
    });
  }

  loadNewer() {
    return this.load(async () => {
      const { after } = this;
      const { head } = this.state;
      const { events, next } = await this.fetchPage(toQuery(this.ui.filter), { after, limit: PAGE });
      return () => {
        this.rows = this.rows.concat(events);
        const last = events.length < PAGE ? head : events[events.length - 1].id;
        this.after = next ?? last;
        this.list.top += events.length * this.list.row_height;
      };
    });
  }

  /** @param {string} text @param {number} now_ms */
  async jump(text, now_ms) {
    const target = parseTarget(text, now_ms);
    if (!target) {
      this.error = `“${text}” is neither an id, such as 4182, nor a time, such as 14:05 or 2026-11-22 14:05.`;
    } else if (this.state.link.phase === 'recording') {
      this.jumpInRecording(target);
    } else if ('id' in target) {
      this.restart(target.id + 1, target.id);
    } else {
      this.is_loading = false;
      await this.load(() => this.findEventAt(target.ms));
    }
    this.redraw();
  }

  /** @param {{ id: number } | { ms: number }} target */
  jumpInRecording(target) {
    const older = this.rows.filter((event) =>
      'id' in target ? event.id <= target.id : Date.parse(event.received_at) <= target.ms,
    );
    this.mark = older[older.length - 1]?.id ?? null;
    this.list.top = (this.rows.length - older.length) * this.list.row_height;
  }

  /** Find the last event up to a time. The host may need several requests. @param {number} ms */
  async findEventAt(ms) {
    const until = new Date(ms).toISOString();
    let before = this.state.head + 1;
    for (;;) {
      const { events, next } = await this.fetchPage(new URLSearchParams(), { until, before, limit: 1 });
      const id = events[0]?.id ?? (next === null ? 1 : null);
      if (id !== null) return () => this.restart(id + 1, id);
      before = Number(next);
    }
  }

  /** @param {number} top px */
  scroll = (top) => {
    this.list.top = top;
    this.redraw();
  };
}
