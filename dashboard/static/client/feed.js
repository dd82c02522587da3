// @ts-check
// Connect to the host's feed with one EventSource, reconnect after a loss, and fetch pages
// of the log. Handlers receive what arrives.

/** @import { FeedEvent, Link, Snapshot } from '../state/types.d.ts' */

/**
 * @typedef {object} Handlers
 * @property {(snapshot: Snapshot, cursor: string) => void} snapshot
 * @property {(event: FeedEvent, cursor: string) => void} event
 * @property {(cause: string | null) => void} fault why the host cannot write its log; null
 *   when it can again
 * @property {(link: Link) => void} link called at each change of the connection
 *
 * @typedef {object} Browser what the feed needs of a browser; tests pass their own
 * @property {new (url: string) => EventSource} EventSource
 * @property {(run: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now
 * @property {() => number} random
 */

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** A proxy may accept the connection and then send nothing. */
const OPEN_TIMEOUT_MS = 10_000;
/** The host groups events, since one message per event costs half of the work in a flood. */
const EVERY_MS = 50;

/** @type {Browser} */
export const browser = {
  EventSource: globalThis.EventSource,
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => Date.now(),
  random: () => Math.random(),
};

/** @type {{ cursor: string, link: Link }} */
export const START = {
  cursor: '',
  link: { phase: 'connecting', attempt: 0, retry_at_ms: null, lost_at_ms: null, skew_ms: 0 },
};

/**
 * Follows the feed until it is closed. This class reconnects, not the EventSource, which
 * stops for good after a proxy's 502 and does not say when it retries. Each connection
 * sends the last cursor in `?after=`, so no event is lost or repeated.
 */
export class Feed {
  /** @type {EventSource | null} */
  source = null;
  /** @type {unknown} */
  timer = null;

  /**
   * @param {Handlers} handlers @param {Browser} [env]
   * @param {{ cursor: string, link: Link }} [start] where an earlier connection stopped
   */
  constructor(handlers, env = browser, { cursor, link } = START) {
    this.handlers = handlers;
    this.env = env;
    this.cursor = cursor;
    this.link = link;
    this.open();
  }

  open() {
    const { env, handlers } = this;
    env.clearTimeout(this.timer);
    this.setLink({ retry_at_ms: null });
    const after = this.cursor ? `&after=${encodeURIComponent(this.cursor)}` : '';
    const sent_ms = env.now();
    const source = new env.EventSource(`feed?every_ms=${EVERY_MS}${after}`);
    this.source = source;
    this.timer = env.setTimeout(() => this.retryLater(), OPEN_TIMEOUT_MS);
    source.onerror = () => this.retryLater();
    // Without a cursor the connection is live when the snapshot is there.
    source.onopen = () => this.cursor && this.setLive();
    source.addEventListener('snapshot', (message) => {
      this.cursor = message.lastEventId || this.cursor;
      const snapshot = JSON.parse(message.data);
      this.setLink({ skew_ms: measureSkew(Date.parse(snapshot.now), sent_ms, env.now()) });
      handlers.snapshot(snapshot, this.cursor);
      this.setLive();
    });
    source.addEventListener('fault', (message) => {
      handlers.fault(JSON.parse(message.data).cause);
    });
    source.onmessage = (message) => {
      this.cursor = message.lastEventId || this.cursor;
      handlers.event(JSON.parse(message.data), this.cursor);
    };
  }

  /** @param {Partial<Link>} change */
  setLink(change) {
    this.link = { ...this.link, ...change };
    this.handlers.link(this.link);
  }

  setLive() {
    this.env.clearTimeout(this.timer);
    if (this.link.phase === 'live') return;
    this.setLink({ phase: 'live', attempt: 0, retry_at_ms: null, lost_at_ms: null });
  }

  retryLater() {
    const { env, link } = this;
    this.close();
    // The next connection reports a fault that is still there.
    this.handlers.fault(null);
    const max_wait_ms = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** link.attempt);
    // Spread the pages that lost the same host at the same time.
    const wait_ms = max_wait_ms * (0.75 + env.random() / 4);
    this.setLink({
      phase: link.phase === 'connecting' ? 'connecting' : 'reconnecting',
      attempt: link.attempt + 1,
      retry_at_ms: env.now() + wait_ms,
      lost_at_ms: link.lost_at_ms ?? env.now(),
    });
    this.timer = env.setTimeout(() => this.open(), wait_ms);
  }

  /** Start the next attempt now, if one is waiting. */
  retryNow() {
    if (this.link.retry_at_ms !== null) this.open();
  }

  close() {
    this.env.clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}

/**
 * Return how far the browser's clock is ahead of the host's, in ms. A difference that the
 * latency explains counts as none.
 * @param {number} host_ms the host's clock when it answered
 * @param {number} sent_ms @param {number} answered_ms
 */
function measureSkew(host_ms, sent_ms, answered_ms) {
  if (host_ms < sent_ms) return sent_ms - host_ms;
  return host_ms > answered_ms ? answered_ms - host_ms : 0;
}

/**
 * Fetch a page of the log, oldest event first. A search may stop before the end of the log;
 * `next` is then the id where it continues. Throws an Error with the host's message.
 * @param {URLSearchParams} query of /feed.ndjson @param {typeof fetch} [fetchFn]
 */
export async function fetchEvents(query, fetchFn = (...all) => fetch(...all)) {
  const response = await fetchFn(`feed.ndjson?${query}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim() || `The host answered ${response.status}.`);
  /** @type {FeedEvent[]} */
  const events = text.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
  const next = response.headers.get('courtside-next');
  return { events, next: next === null ? null : Number(next) };
}

/**
 * Fetch how full the log is, in bytes. Without `keep_bytes`, it has no limit. `dropped` of its
 * oldest events were deleted since the start. Throws an Error.
 * @param {typeof fetch} [fetchFn]
 * @returns {Promise<{ bytes: number, keep_bytes: number | null, dropped: number }>}
 */
export async function fetchLogUse(fetchFn = (...all) => fetch(...all)) {
  const response = await fetchFn('debug.json');
  if (!response.ok) throw new Error(`The host answered ${response.status} to debug.json.`);
  return (await response.json()).feed.log;
}

/**
 * Fetch the last `limit` events of the log before the id `before`, oldest first.
 * @param {number | null} before null starts at the end of the log
 * @param {number} limit @param {Record<string, string>} [filter]
 */
export async function fetchOlderEvents(before, limit, filter = {}) {
  const query = new URLSearchParams({ ...filter, limit: String(limit) });
  if (before !== null) query.set('before', String(before));
  return (await fetchEvents(query)).events;
}
