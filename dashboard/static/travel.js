// @ts-check
// Owns what a reader does on the timeline: zoom, pan, follow, which bar has the focus,
// and how much of the log is loaded for it. view/timeline.js draws it; main.js feeds it.

import { fetchHistory } from './feed.js';
import { addUpdate, createLanes, fitted, inSight, pack, timeAt, xOf, zoomed } from './timeline.js';

/**
 * @typedef {import('./types.d.ts').State} State
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('./timeline.js').Item} Item
 * @typedef {import('./timeline.js').Lane} Lane
 * @typedef {ReturnType<typeof createTravel>} Travel
 * @typedef {{ id: string, x: number, y: number, up: boolean }} Tip
 */

const PAGE = 2_000;
/** Beyond this a page would hold hundreds of MB; the log has the rest. */
const MAX_SPANS = 30_000;
/** Five minutes across a wide screen. */
const FIRST_SCALE = 270;
/** Farther out bars move by less than a pixel, but must not seem to stand. */
const MAX_MOVE_MS = 500;
/** How often rows are packed anew at a flood. */
const PACK_MS = 250;
/** Where "now" stands while following: some room right of it. */
const AHEAD = 0.06;

/**
 * @param {State} state @param {() => void} redraw
 * @param {ReturnType<typeof import('./pace.js').createPace>} pace
 */
export function createTravel(state, redraw, pace) {
  let stamp = 0;
  let moved_at_ms = 0;
  let dirty = true;
  /** @type {WeakMap<Lane, number>} */
  const packed_at_ms = new WeakMap();

  const at = {
    ms_per_px: FIRST_SCALE,
    to_ms: 0,
    width: 0,
    follow: true,
    lanes: createLanes(),
    /** @type {Map<string, import('./timeline.js').Span>} */
    spans: new Map(),
    /** The epoch that the lanes are of; null before they are asked for. @type {string | null} */
    epoch: null,
    /** Everything since is loaded, in ms; before it, `more` of the log may be. */
    from_ms: 0,
    before: 0,
    more: false,
    /** @type {'idle' | 'loading' | 'failed'} */
    loading: 'idle',
    /** What is drawn, by its `data-item`. @type {Map<string, { item: Item, agent: string }>} */
    shown: new Map(),
    /** What the pointer or the focus is on, and where. @type {Tip | null} */
    tip: null,
  };

  const moves = {
    /** Another value means: draw anew. @param {number} host_now_ms @param {number} now_ms */
    settle(host_now_ms, now_ms) {
      if (at.epoch !== state.epoch || at.spans.size > MAX_SPANS * 1.2) build();
      if (at.follow) {
        at.to_ms = host_now_ms + AHEAD * at.width * at.ms_per_px;
      }
      loadInSight();
      // Sooner than it moves by a pixel there is nothing to see.
      const pause_ms = Math.max(pace.pause_ms(), Math.min(MAX_MOVE_MS, at.ms_per_px));
      const due = moved_at_ms + pause_ms - now_ms;
      if (dirty || (at.follow && due <= 0)) {
        if (due <= 0) {
          moved_at_ms = now_ms;
          dirty = false;
          stamp += 1;
        } else later(due);
      }
      if (at.follow && state.link.phase === 'live') {
        later(pause_ms);
      }
      return stamp;
    },

    /** A live event. @param {FeedEvent} event */
    note(event) {
      if (at.epoch === null || event.kind !== 'task') return;
      addUpdate(at.lanes, at.spans, event);
      dirty = true;
    },
    /** The log is another, or has moved on without us. */
    forget() {
      at.epoch = null;
    },

    /** @param {Lane} lane @param {number} rows @param {number} now_ms */
    itemsOf(lane, rows, now_ms) {
      const key = `${at.ms_per_px} ${rows}`;
      // Thousands of tasks are packed in some ms: not at each frame of a flood.
      const due = now_ms - (packed_at_ms.get(lane) ?? 0) > PACK_MS;
      if (due || !lane.packed?.key.endsWith(` ${key}`)) {
        packed_at_ms.set(lane, now_ms);
        pack(lane, at.ms_per_px, rows);
      } else if (!lane.packed.key.startsWith(`${lane.version} `)) {
        dirty = true;
        later(PACK_MS);
      }
      const packed = /** @type {NonNullable<Lane['packed']>} */ (lane.packed);
      return { items: inSight(packed.items, at), rows: packed.rows };
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
      const now = id === null ? undefined : at.shown.get(id);
      const all = [...at.shown].map(([key, { item, agent }]) => ({ key, item, agent }));
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
    stamp += 1;
    redraw();
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
    stamp += 1;
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
      const { events } = await fetchHistory(before, PAGE, 'kind=task&');
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
