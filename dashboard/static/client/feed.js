// @ts-check
// Owns the connection to the host's feed: one EventSource, its reconnects, and pages of
// history. What arrives goes to the handlers; main.js folds it into the store.

/**
 * @typedef {import('../state/types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('../state/types.d.ts').Snapshot} Snapshot
 * @typedef {import('../state/types.d.ts').Link} Link
 *
 * @typedef {object} Handlers
 * @property {(snapshot: Snapshot, cursor: string) => void} snapshot
 * @property {(event: FeedEvent, cursor: string) => void} event
 * @property {(cause: string | null) => void} fault why the host's log fails, null once it works
 * @property {(link: Link) => void} link called at each change of the connection
 *
 * @typedef {object} World what a browser gives; tests hand in their own
 * @property {new (url: string) => EventSource} EventSource
 * @property {(run: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now
 * @property {() => number} random
 */

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** A proxy may accept the connection and then say nothing. */
const OPEN_DEADLINE_MS = 10_000;
/** The list moves no faster; each send for itself is half of a flood's work. */
const EVERY_MS = 50;

/** @type {World} */
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
 * Follows the feed until closed. Reconnects are ours and not the EventSource's, which
 * gives up for ever on a proxy's 502 and never says when it tries next. The last id
 * goes along in `?after=`, so that nothing is missed or doubled.
 * @param {Handlers} handlers @param {World} [world]
 * @param {{ cursor: string, link: Link }} [from] where another connection was
 */
export function followFeed(handlers, world = browser, from = START) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {unknown} */
  let timer = null;
  let { cursor, link } = from;

  /** @param {Partial<Link>} change */
  function tell(change) {
    link = { ...link, ...change };
    handlers.link(link);
  }

  function live() {
    world.clearTimeout(timer);
    if (link.phase === 'live') return;
    tell({ phase: 'live', attempt: 0, retry_at_ms: null, lost_at_ms: null });
  }

  function open() {
    world.clearTimeout(timer);
    tell({ retry_at_ms: null });
    const after = cursor ? `&after=${encodeURIComponent(cursor)}` : '';
    const url = `feed?every_ms=${EVERY_MS}${after}`;
    const asked_ms = world.now();
    const opened = new world.EventSource(url);
    source = opened;
    timer = world.setTimeout(lose, OPEN_DEADLINE_MS);
    opened.onerror = lose;
    // Without a cursor the page is live when it has something to show.
    opened.onopen = () => cursor && live();
    opened.addEventListener('snapshot', (message) => {
      cursor = message.lastEventId || cursor;
      const snapshot = JSON.parse(message.data);
      tell({ skew_ms: skewOf(Date.parse(snapshot.now), asked_ms, world.now()) });
      handlers.snapshot(snapshot, cursor);
      live();
    });
    opened.addEventListener('fault', (message) => {
      handlers.fault(JSON.parse(message.data).cause);
    });
    opened.onmessage = (message) => {
      cursor = message.lastEventId || cursor;
      handlers.event(JSON.parse(message.data), cursor);
    };
  }

  function lose() {
    stop();
    // It is told again, where it is so.
    handlers.fault(null);
    const ceiling = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** link.attempt);
    // Many pages lose one host at once; they must not all come back at once.
    const wait = ceiling * (0.75 + world.random() / 4);
    tell({
      phase: link.phase === 'connecting' ? 'connecting' : 'reconnecting',
      attempt: link.attempt + 1,
      retry_at_ms: world.now() + wait,
      lost_at_ms: link.lost_at_ms ?? world.now(),
    });
    timer = world.setTimeout(open, wait);
  }

  function stop() {
    world.clearTimeout(timer);
    source?.close();
    source = null;
  }

  open();
  return {
    /** Tries at once, where an attempt is being waited for. */
    retryNow() {
      if (link.retry_at_ms !== null) open();
    },
    close: stop,
  };
}

/**
 * How far the browser's clock is ahead of the host's, at the least: what an answer that
 * was long on its way explains is no difference.
 * @param {number} host_ms when the host answered, by its clock
 * @param {number} asked_ms @param {number} answered_ms
 */
function skewOf(host_ms, asked_ms, answered_ms) {
  if (host_ms < asked_ms) return asked_ms - host_ms;
  return host_ms > answered_ms ? answered_ms - host_ms : 0;
}

/**
 * A page of the log: the last `limit` events, all before the id `before` where there is
 * one, oldest first.
 * @param {number | null} before @param {number} limit @param {string} [where] `kind=task&`
 * @returns {Promise<FeedEvent[]>}
 */
export async function fetchHistory(before, limit, where = '') {
  const until = before === null ? '' : `before=${before}&`;
  const response = await fetch(`feed.ndjson?${where}${until}limit=${limit}`);
  if (!response.ok) throw new Error(`The host answered ${response.status}.`);
  const text = await response.text();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line));
}
