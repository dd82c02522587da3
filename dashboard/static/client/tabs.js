// @ts-check
// Owns which tab of a browser is connected to the feed. HTTP/1.1 has six connections for
// all tabs together, so one leads and tells the others what comes. feed.js is the
// connection; main.js does not see which of them its tab is.

import { START, browser, followFeed } from './feed.js';

/**
 * @typedef {import('../state/types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('../state/types.d.ts').Snapshot} Snapshot
 * @typedef {import('../state/types.d.ts').Link} Link
 *
 * @typedef {import('./feed.js').Handlers & { board: () => Snapshot }} Handlers `board` is
 *   all that this tab knows, for one that joins
 *
 * @typedef {import('./feed.js').World & { name: string, isVisible: () => boolean,
 *   locks?: LockManager, BroadcastChannel?: typeof BroadcastChannel }} World
 *
 * @typedef {{ type: 'event', event: FeedEvent, cursor: string, after: string }
 *   | { type: 'snapshot' | 'board', snapshot: Snapshot, cursor: string }
 *   | { type: 'link', link: Link } | { type: 'fault', cause: string | null }
 *   | { type: 'join' | 'ping' | 'retry' }} Said the first three lines by the tab that
 *   leads: `after` is the cursor before the event, a `board` is for those that join
 */

/** How often a tab asks for a sign of life; the second time in vain it leads itself. */
const SIGN_MS = 3_000;

/** @returns {World} */
const here = () => ({
  ...browser,
  // Another base path of the same origin is another host's page.
  name: `courtside 1 ${new URL('feed', location.href).pathname}`,
  isVisible: () => document.visibilityState === 'visible',
  locks: navigator.locks,
  BroadcastChannel: globalThis.BroadcastChannel,
});

/**
 * Follows the feed until closed, with one connection for all tabs. Where a browser has
 * no locks (they need https or localhost) each tab has its own.
 * @param {Handlers} handlers @param {World} [world]
 */
export function shareFeed(handlers, world = here()) {
  const { locks, BroadcastChannel } = world;
  if (!locks || !BroadcastChannel) return followFeed(handlers, world);
  const channel = new BroadcastChannel(world.name);
  /** The connection, in the tab that leads. @type {ReturnType<typeof followFeed> | null} */
  let feed = null;
  let { cursor: at, link } = START;
  /** @type {string | null} */
  let fault = null;
  /** Whether this tab lacks something, and waits for all that another knows. */
  let joining = true;
  /** Until another tab says something nobody need be told anything. */
  let alone = true;
  /** Whether the tab that leads has given a sign of life lately. */
  let heard = true;
  let waiting = new AbortController();
  let release = () => {};
  /** @type {unknown} */
  let timer = null;

  /** @param {Said} said */
  const say = (said) => channel.postMessage(said);

  const take = {
    /** @param {Snapshot} snapshot @param {string} cursor */
    snapshot(snapshot, cursor) {
      at = cursor;
      joining = false;
      handlers.snapshot(snapshot, cursor);
    },
    /** @param {FeedEvent} event @param {string} cursor */
    event(event, cursor) {
      at = cursor;
      handlers.event(event, cursor);
    },
    /** @param {Link} now */
    link(now) {
      link = now;
      handlers.link(now);
    },
    /** @param {string | null} cause */
    fault(cause) {
      fault = cause;
      handlers.fault(cause);
    },
  };

  /** What comes over the connection, for all tabs. @type {import('./feed.js').Handlers} */
  const lead = {
    snapshot(snapshot, cursor) {
      if (!alone) say({ type: 'snapshot', snapshot, cursor });
      take.snapshot(snapshot, cursor);
    },
    event(event, cursor) {
      if (!alone) say({ type: 'event', event, cursor, after: at });
      take.event(event, cursor);
    },
    link(now) {
      if (!alone) say({ type: 'link', link: now });
      take.link(now);
    },
    fault(cause) {
      if (!alone) say({ type: 'fault', cause });
      take.fault(cause);
    },
  };

  /** Waits to lead, or takes the lead from a tab that the browser has put to sleep. */
  function stand(steal = false) {
    waiting.abort();
    const mine = (waiting = new AbortController());
    const { signal } = mine;
    locks
      ?.request(world.name, steal ? { steal } : { signal }, () => {
        if (signal.aborted) return;
        connect();
        return new Promise((resolve) => (release = () => resolve(null)));
      })
      .catch((error) => {
        if (signal.aborted) return;
        // Locks that the user's settings forbid: each tab for itself.
        if (error.name !== 'AbortError') return connect();
        feed?.close();
        feed = null;
        heard = true;
        stand();
      });
  }

  function connect() {
    joining = false;
    feed = followFeed(lead, world, { cursor: at, link });
  }

  /** To the tab that leads. @param {Said} said */
  function answer({ type }) {
    if (type === 'join' && at) {
      say({ type: 'board', snapshot: handlers.board(), cursor: at });
      say({ type: 'fault', cause: fault });
    }
    if (type === 'retry') feed?.retryNow();
    if (type === 'join' || type === 'retry' || type === 'ping') say({ type: 'link', link });
  }

  /** To the others. @param {Said} said */
  function hear(said) {
    heard ||= 'link' in said || 'cursor' in said;
    if (said.type === 'link') take.link(said.link);
    else if (said.type === 'fault') take.fault(said.cause);
    else if (said.type === 'snapshot' || (said.type === 'board' && joining)) {
      take.snapshot(said.snapshot, said.cursor);
    } else if (said.type === 'event' && !joining && !isKnown(said.cursor, at)) {
      if (said.after === at) take.event(said.event, said.cursor);
      else join();
    }
  }

  function join() {
    joining = true;
    say({ type: 'join' });
  }

  function sign() {
    if (!feed) {
      if (!heard && world.isVisible()) stand(true);
      heard = false;
      say({ type: joining ? 'join' : 'ping' });
    }
    timer = world.setTimeout(sign, SIGN_MS);
  }

  channel.onmessage = ({ data }) => {
    alone = false;
    if (feed) answer(data);
    else hear(data);
  };
  stand();
  sign();
  return {
    /** Tries at once, where an attempt is being waited for. */
    retryNow() {
      if (feed) feed.retryNow();
      else say({ type: 'retry' });
    },
    close() {
      world.clearTimeout(timer);
      waiting.abort();
      channel.close();
      feed?.close();
      feed = null;
      release();
    },
  };
}

/** Whether a cursor is at or before another of the same log. @param {string} cursor @param {string} at */
function isKnown(cursor, at) {
  const [log, id] = split(cursor);
  const [log_at, id_at] = split(at);
  return log === log_at && Number(id) <= Number(id_at);
}

/** @param {string} cursor `EPOCH-ID` */
function split(cursor) {
  const dash = cursor.lastIndexOf('-');
  return [cursor.slice(0, dash), cursor.slice(dash + 1)];
}
