// @ts-check
// Owns what a reader does on the timeline: zoom, pan, follow, which bar has the focus,
// and how much of the log is loaded for it. view/timeline.js draws it; main.js feeds it.

import { fetchHistory } from '../client/feed.js';
import {
  addUpdate,
  createLanes,
  fitted,
  idOf,
  inSight,
  pack,
  timeAt,
  xOf,
  zoomed,
} from './lanes.js';

/**
 * @typedef {import('../state/types.d.ts').State} State
 * @typedef {import('../state/types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('./lanes.js').Item} Item
 * @typedef {import('./lanes.js').Lane} Lane
 * @typedef {ReturnType<typeof createTravel>} Travel
 * @typedef {{ id: string, x: number, y: number, up: boolean }} Tip
 * @typedef {{ key: string, items: Item[], rows: number }} Shown a lane as it is drawn; its
 *   key is another when it is to be drawn anew
 */

const PAGE = 2_000;
/** Beyond this a page would hold hundreds of MB; the log has the rest. */
const MAX_SPANS = 30_000;
/** Five minutes across a wide screen. */
const FIRST_SCALE = 270;
/** Farther out bars move by less than a pixel, but must not seem to stand. */
const MAX_MOVE_MS = 500;
/** Lanes follow the feed by turns, so that no frame has to draw all of them. */
const TURNS = 2;
/** Where "now" stands while following: some room right of it. */
const AHEAD = 0.06;

/**
 * @param {State} state @param {() => void} redraw
 * @param {ReturnType<typeof import('../scheduler.js').createPace>} pace
 */
export function createTravel(state, redraw, pace) {
  /** Of the lanes of each turn. */
  const stamps = new Array(TURNS).fill(0);
  let turn = 0;
  let moved_at_ms = 0;
  /** How many turns have something new to draw. */
  let behind = TURNS;

  const at = {
    ms_per_px: FIRST_SCALE,
    to_ms: 0,
    width: 0,
    follow: true,
    lanes: createLanes(),
    /** @type {Map<string, import('./lanes.js').Span>} */
    spans: new Map(),
    /** The epoch that the lanes are of; null before they are asked for. @type {string | null} */
    epoch: null,
    /** Everything since is loaded, in ms; before it, `more` of the log may be. */
    from_ms: 0,
    before: 0,
    more: false,
    /** @type {'idle' | 'loading' | 'failed'} */
    loading: 'idle',
    /** What is drawn, by agent. @type {Map<string, Shown>} */
    shown: new Map(),
    /** What the pointer or the focus is on, and where. @type {Tip | null} */
    tip: null,
  };

  const moves = {
    /**
     * Whether to draw anew: another value. Where the frame is `full` of other things,
     * lanes wait for the next. @param {number} host_now_ms @param {number} now_ms @param {boolean} full
     */
    settle(host_now_ms, now_ms, full) {
      if (at.epoch !== state.epoch || at.spans.size > MAX_SPANS * 1.2) build();
      if (at.follow) {
        at.to_ms = host_now_ms + AHEAD * at.width * at.ms_per_px;
      }
      loadInSight();
      // Sooner than it moves by a pixel there is nothing to see.
      const move_ms = Math.min(MAX_MOVE_MS, at.ms_per_px) / TURNS;
      const pause_ms = Math.max(pace.pause_ms(), move_ms);
      const due = moved_at_ms + pause_ms - now_ms;
      if (due <= 0 && !full && (behind > 0 || at.follow)) {
        moved_at_ms = now_ms;
        stamps[turn] += 1;
        turn = (turn + 1) % TURNS;
        behind -= 1;
      }
      const follows = at.follow && state.link.phase === 'live';
      if (behind > 0 || follows) later(full ? pace.step_ms() : Math.max(due, 0) || pause_ms);
      return stamps.join();
    },

    /** A live event. @param {FeedEvent} event */
    note(event) {
      if (at.epoch === null || event.kind !== 'task') return;
      addUpdate(at.lanes, at.spans, event);
      behind = TURNS;
    },
    /** The log is another, or has moved on without us. */
    forget() {
      at.epoch = null;
    },

    /**
     * An agent's lane as it is to be drawn, which changes when it is its turn.
     * @param {string} agent @param {number} place from the top @param {number} rows
     * @returns {Shown}
     */
    laneOf(agent, place, rows) {
      const key = `${stamps[place % TURNS]} ${place} ${rows}`;
      const known = at.shown.get(agent);
      if (known?.key === key) return known;
      const lane = at.lanes.get(agent);
      if (!lane) return { key, items: [], rows: 1 };
      const packed = pack(lane, at.ms_per_px, rows);
      return { key, items: inSight(packed.items, at), rows: packed.rows };
    },

    /** What is drawn with that `data-item`, and whose it is. @param {string} id */
    find(id) {
      for (const [agent, { items }] of at.shown) {
        const item = items.find((each) => idOf(each) === id);
        if (item) return { agent, item };
      }
      return null;
    },

    /** @param {number} factor @param {number} [x] px */
    zoom(factor, x = at.follow ? at.width * (1 - AHEAD) : at.width / 2) {
      Object.assign(at, zoomed(at, factor, x));
      touch();
    },
    /** @param {number} px to the right, towards now */
    pan(px) {
      at.follow = false;
      at.to_ms += px * at.ms_per_px;
      touch();
    },
    /** All that is loaded. */
    fit() {
      const starts = [...at.spans.values()].map(({ times }) => times[0]);
      const ends = [...at.spans.values()].map(({ times }) => times[times.length - 1]);
      if (starts.length === 0) return;
      at.follow = false;
      const least = starts.reduce((a, b) => Math.min(a, b));
      const most = ends.reduce((a, b) => Math.max(a, b));
      Object.assign(at, fitted(least, most, at.width));
      touch();
    },
    toggleFollow() {
      at.follow = !at.follow;
      touch();
    },
    /** Shows these times in full. @param {Item} item */
    zoomTo({ spans, from, to }) {
      at.follow = false;
      const ends = spans.map(({ times }) => times[times.length - 1]);
      const last = Number.isFinite(to) ? to : Math.max(...ends);
      Object.assign(at, fitted(from, Math.max(last, from + 10), at.width));
      touch();
    },
    /** @param {Tip | null} tip */
    point(tip) {
      if (tip?.id === at.tip?.id) return;
      at.tip = tip;
      touch();
    },
    /** @param {number} width px */
    resize(width) {
      const first = at.width === 0;
      at.width = width;
      // A recording has no now to follow.
      if (first && state.link.phase === 'recording') moves.fit();
      touch();
    },
    load,

    /**
     * The bar beside the one in focus: along its lane, or in the next lane at about the
     * same time. Pans there where it is out of sight.
     * @param {string | null} id @param {number} along @param {number} across @returns {string | null}
     */
    beside(id, along, across) {
      const now = id === null ? null : moves.find(id);
      const all = [...at.shown].flatMap(([agent, { items }]) =>
        items.map((item) => ({ key: idOf(item), item, agent })),
      );
      if (!now) return all.find(({ item }) => xOf(at, item.to) > 0)?.key ?? null;
      const agents = [...new Set(all.map(({ agent }) => agent))];
      const agent = agents[agents.indexOf(now.agent) + across];
      const lane = all.filter((each) => each.agent === agent);
      lane.sort((a, b) => a.item.from - b.item.from || a.item.row - b.item.row);
      let place = lane.findIndex(({ key }) => key === id) + along;
      if (across !== 0) {
        place = lane.findIndex(({ item }) => item.from >= now.item.from);
        if (place < 0) place = lane.length - 1;
      }
      const next = lane[place];
      if (!next) return null;
      const x = xOf(at, next.item.from);
      if (x < 0 || x > at.width - 20) moves.pan(x - at.width / 2);
      return next.key;
    },
  };

  /** One drawing is enough, however many asked. @param {number} ms */
  function later(ms) {
    timer ??= setTimeout(() => {
      timer = null;
      redraw();
    }, ms);
  }
  /** @type {unknown} */
  let timer = null;

  function touch() {
    restamp();
    redraw();
  }

  function restamp() {
    for (let each = 0; each < TURNS; each++) stamps[each] += 1;
  }

  function build() {
    at.lanes = createLanes();
    at.spans = new Map();
    at.epoch = state.epoch;
    for (const row of state.rows) if (row.kind === 'task') addUpdate(at.lanes, at.spans, row);
    // Open ones may have begun long before the rows that are loaded.
    for (const agent of state.agents.values()) {
      for (const { row } of agent.tasks.values()) addUpdate(at.lanes, at.spans, row);
    }
    const first = state.rows[0];
    at.before = first?.id ?? state.head + 1;
    at.from_ms = first ? Date.parse(first.received_at) : Infinity;
    at.more = state.has_older;
    at.loading = 'idle';
    restamp();
  }

  /** As far back as the window reaches. */
  function loadInSight() {
    const needed = at.width > 0 && timeAt(at, 0) < at.from_ms;
    if (needed && at.loading === 'idle' && at.spans.size < MAX_SPANS) load();
  }

  async function load() {
    if (!at.more || at.loading === 'loading') return;
    at.loading = 'loading';
    const { epoch, before } = at;
    try {
      const events = await fetchHistory(before, PAGE, 'kind=task&');
      if (at.epoch !== epoch || at.before !== before) return;
      at.loading = 'idle';
      for (const row of events) {
        if (row.kind === 'task') addUpdate(at.lanes, at.spans, row);
      }
      at.more = events.length > 0;
      if (events.length > 0) {
        at.before = events[0].id;
        at.from_ms = Date.parse(events[0].received_at);
      }
    } catch {
      at.loading = 'failed';
    }
    touch();
  }

  return Object.assign(at, moves);
}
