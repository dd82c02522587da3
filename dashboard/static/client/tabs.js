// @ts-check
// Share one feed connection between all tabs of a browser, because HTTP/1.1 allows only six
// connections per host. One tab leads: it connects, and posts to the others what arrives.

import { Feed, START, browser } from './feed.js';
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
  if (!locks || !BroadcastChannel) return new Feed(handlers, env);
  return new SharedFeed(handlers, env, locks, new BroadcastChannel(env.name));
}

class SharedFeed {
  /** The connection, if this tab leads. @type {Feed | null} */
  feed = null;
  cursor = START.cursor;
  link = START.link;
  /** @type {string | null} */
  fault = null;
  /** True while this tab lacks events and waits for a board. */
  is_joining = true;
  has_peers = false;
  /** True if the leader has posted anything since the last ping. */
  is_leader_alive = true;
  waiting = new AbortController();
  releaseLock = () => {};
  /** @type {unknown} */
  timer = null;

  /**
   * @param {Handlers} handlers @param {Browser} env
   * @param {LockManager} locks @param {BroadcastChannel} channel
   */
  constructor(handlers, env, locks, channel) {
    this.handlers = handlers;
    this.env = env;
    this.locks = locks;
    this.channel = channel;
    channel.onmessage = ({ data }) => {
      this.has_peers = true;
      if (this.feed) this.answer(data);
      else this.receive(data);
    };
    this.requestLead();
    this.checkLeader();
  }

  /** @param {Message} message */
  post(message) {
    this.channel.postMessage(message);
  }

  /** Apply a message to this tab. @param {Message} message */
  apply(message) {
    const { handlers } = this;
    if ('cursor' in message) this.cursor = message.cursor;
    if (message.type === 'event') handlers.event(message.event, message.cursor);
    else if (message.type === 'snapshot' || message.type === 'board') {
      this.is_joining = false;
      handlers.snapshot(message.snapshot, message.cursor);
    } else if (message.type === 'link') handlers.link((this.link = message.link));
    else if (message.type === 'fault') handlers.fault((this.fault = message.cause));
  }

  /** Apply what arrives over the leader's connection to all tabs. @param {Message} message */
  share(message) {
    if (this.has_peers) this.post(message);
    this.apply(message);
  }

  /**
   * Wait for the lead. Or take it from a tab that the browser has suspended.
   * @param {boolean} [steal]
   */
  requestLead(steal = false) {
    this.waiting.abort();
    this.waiting = new AbortController();
    const { signal } = this.waiting;
    this.locks
      .request(this.env.name, steal ? { steal } : { signal }, () => {
        if (signal.aborted) return;
        this.connect();
        return new Promise((resolve) => (this.releaseLock = () => resolve(null)));
      })
      .catch((error) => {
        if (signal.aborted) return;
        // The user's settings forbid locks: this tab connects by itself.
        if (error.name !== 'AbortError') return this.connect();
        // Another tab took the lead.
        this.disconnect();
        this.is_leader_alive = true;
        this.requestLead();
      });
  }

  connect() {
    this.is_joining = false;
    /** @type {import('./feed.js').Handlers} */
    const leader = {
      snapshot: (snapshot, cursor) => this.share({ type: 'snapshot', snapshot, cursor }),
      event: (event, cursor) => this.share({ type: 'event', event, cursor, after: this.cursor }),
      link: (link) => this.share({ type: 'link', link }),
      fault: (cause) => this.share({ type: 'fault', cause }),
    };
    this.feed = new Feed(leader, this.env, { cursor: this.cursor, link: this.link });
  }

  disconnect() {
    this.feed?.close();
    this.feed = null;
  }

  /** Answer another tab, as the leader. @param {Message} message */
  answer({ type }) {
    const { cursor, fault: cause, link } = this;
    if (type === 'join' && cursor) {
      this.post({ type: 'board', snapshot: this.handlers.board(), cursor });
      this.post({ type: 'fault', cause });
    }
    if (type === 'retry') this.feed?.retryNow();
    if (type === 'join' || type === 'retry' || type === 'ping') this.post({ type: 'link', link });
  }

  /** Receive a message of the leader. @param {Message} message */
  receive(message) {
    const { type } = message;
    this.is_leader_alive ||= 'link' in message || 'cursor' in message;
    if (type === 'link' || type === 'fault' || type === 'snapshot') this.apply(message);
    else if (type === 'board' && this.is_joining) this.apply(message);
    else if (type === 'event' && !this.is_joining && !isKnown(message.cursor, this.cursor)) {
      if (message.after === this.cursor) this.apply(message);
      else this.join();
    }
  }

  join() {
    this.is_joining = true;
    this.post({ type: 'join' });
  }

  checkLeader() {
    if (!this.feed) {
      if (!this.is_leader_alive && this.env.isVisible()) this.requestLead(true);
      this.is_leader_alive = false;
      this.post({ type: this.is_joining ? 'join' : 'ping' });
    }
    this.timer = this.env.setTimeout(() => this.checkLeader(), PING_MS);
  }

  /** Start the next attempt now, if one is waiting. */
  retryNow() {
    if (this.feed) this.feed.retryNow();
    else this.post({ type: 'retry' });
  }

  close() {
    this.env.clearTimeout(this.timer);
    this.waiting.abort();
    this.channel.close();
    this.disconnect();
    this.releaseLock();
  }
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
