// @ts-check
// Share one feed connection between all tabs of a browser, because HTTP/1.1 allows only six
// connections per host. One tab leads: it connects, and posts to the others what arrives.

import { START, browser, followFeed } from './feed.js';
/** @import { FeedEvent, Link, Snapshot } from '../state/types.d.ts' */

/**
 * @typedef {import('./feed.js').Handlers & { board: () => Snapshot }} Handlers `board`
 *   returns all that this tab knows, for a tab that joins
 *
 * @typedef {import('./feed.js').Browser & { name: string, isVisible: () => boolean,
 *   locks?: LockManager, BroadcastChannel?: typeof BroadcastChannel }} Browser
 *
 * @typedef {{ type: 'event', event: FeedEvent, cursor: string, after: string }
 *   | { type: 'snapshot' | 'board', snapshot: Snapshot, cursor: string }
 *   | { type: 'link', link: Link } | { type: 'fault', cause: string | null }
 *   | { type: 'join' | 'ping' | 'retry' }} Message All but the last line are from the
 *   leader. `after` is the cursor before the event. A `board` is for tabs that join.
 */

/** How often a tab pings the leader. After two pings without an answer it takes the lead. */
const PING_MS = 3_000;

/** @returns {Browser} */
const thisBrowser = () => ({
  ...browser,
  // A different base path of the same origin is the page of a different host.
  name: `courtside 1 ${new URL('feed', location.href).pathname}`,
  isVisible: () => document.visibilityState === 'visible',
  locks: navigator.locks,
  BroadcastChannel: globalThis.BroadcastChannel,
});

/**
 * Follow the feed until it is closed, with one connection for all tabs. If the browser has
 * no locks (they need https or localhost), each tab has its own connection.
 * @param {Handlers} handlers @param {Browser} [env]
 */
export function shareFeed(handlers, env = thisBrowser()) {
  const { locks, BroadcastChannel } = env;
  if (!locks || !BroadcastChannel) return followFeed(handlers, env);
  const channel = new BroadcastChannel(env.name);
  /** The connection, if this tab leads. @type {ReturnType<typeof followFeed> | null} */
  let feed = null;
  let { cursor: at, link } = START;
  /** @type {string | null} */
  let fault = null;
  /** True while this tab lacks events and waits for a board. */
  let is_joining = true;
  let has_peers = false;
  /** True if the leader has posted anything since the last ping. */
  let is_leader_alive = true;
  let waiting = new AbortController();
  let releaseLock = () => {};
  /** @type {unknown} */
  let timer = null;

  /** @param {Message} message */
  const post = (message) => channel.postMessage(message);

  /** Apply a message to this tab. @param {Message} message */
  function apply(message) {
    if ('cursor' in message) at = message.cursor;
    if (message.type === 'event') handlers.event(message.event, message.cursor);
    else if (message.type === 'snapshot' || message.type === 'board') {
      is_joining = false;
      handlers.snapshot(message.snapshot, message.cursor);
    } else if (message.type === 'link') handlers.link((link = message.link));
    else if (message.type === 'fault') handlers.fault((fault = message.cause));
  }

  /** Apply what arrives over the leader's connection to all tabs. @param {Message} message */
  function share(message) {
    if (has_peers) post(message);
    apply(message);
  }

  /**
   * Wait for the lead. Or take it from a tab that the browser has suspended.
   * @param {boolean} [steal]
   */
  function requestLead(steal = false) {
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    locks
      ?.request(env.name, steal ? { steal } : { signal }, () => {
        if (signal.aborted) return;
        connect();
        return new Promise((resolve) => (releaseLock = () => resolve(null)));
      })
      .catch((error) => {
        if (signal.aborted) return;
        // The user's settings forbid locks: this tab connects by itself.
        if (error.name !== 'AbortError') return connect();
        // Another tab took the lead.
        feed?.close();
        feed = null;
        is_leader_alive = true;
        requestLead();
      });
  }

  function connect() {
    is_joining = false;
    const leader = {
      /** @param {Snapshot} snapshot @param {string} cursor */
      snapshot: (snapshot, cursor) => share({ type: 'snapshot', snapshot, cursor }),
      /** @param {FeedEvent} event @param {string} cursor */
      event: (event, cursor) => share({ type: 'event', event, cursor, after: at }),
      /** @param {Link} link */
      link: (link) => share({ type: 'link', link }),
      /** @param {string | null} cause */
      fault: (cause) => share({ type: 'fault', cause }),
    };
    feed = followFeed(leader, env, { cursor: at, link });
  }

  /** Answer another tab, as the leader. @param {Message} message */
  function answer({ type }) {
    if (type === 'join' && at) {
      post({ type: 'board', snapshot: handlers.board(), cursor: at });
      post({ type: 'fault', cause: fault });
    }
    if (type === 'retry') feed?.retryNow();
    if (type === 'join' || type === 'retry' || type === 'ping') post({ type: 'link', link });
  }

  /** Receive a message of the leader. @param {Message} message */
  function receive(message) {
    const { type } = message;
    is_leader_alive ||= 'link' in message || 'cursor' in message;
    if (type === 'link' || type === 'fault' || type === 'snapshot') apply(message);
    else if (type === 'board' && is_joining) apply(message);
    else if (type === 'event' && !is_joining && !isKnown(message.cursor, at)) {
      if (message.after === at) apply(message);
      else join();
    }
  }

  function join() {
    is_joining = true;
    post({ type: 'join' });
  }

  function checkLeader() {
    if (!feed) {
      if (!is_leader_alive && env.isVisible()) requestLead(true);
      is_leader_alive = false;
      post({ type: is_joining ? 'join' : 'ping' });
    }
    timer = env.setTimeout(checkLeader, PING_MS);
  }

  channel.onmessage = ({ data }) => {
    has_peers = true;
    if (feed) answer(data);
    else receive(data);
  };
  requestLead();
  checkLeader();
  return {
    /** Start the next attempt now, if one is waiting. */
    retryNow() {
      if (feed) feed.retryNow();
      else post({ type: 'retry' });
    },
    close() {
      env.clearTimeout(timer);
      waiting.abort();
      channel.close();
      feed?.close();
      feed = null;
      releaseLock();
    },
  };
}

/** Return whether a cursor is at or before another of the same log. @param {string} cursor @param {string} at */
function isKnown(cursor, at) {
  const [epoch, id] = splitCursor(cursor);
  const [at_epoch, at_id] = splitCursor(at);
  return epoch === at_epoch && Number(id) <= Number(at_id);
}

/** @param {string} cursor `EPOCH-ID` */
function splitCursor(cursor) {
  const dash = cursor.lastIndexOf('-');
  return [cursor.slice(0, dash), cursor.slice(dash + 1)];
}
