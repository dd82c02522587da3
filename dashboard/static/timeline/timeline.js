// @ts-check
// The timeline's state: the scale (zoom, pan, follow), the visible lanes, and the part of
// the log that is loaded for it. view.js shows it.

import { fetchOlderEvents } from '../client/feed.js';
import { addUpdate, createLanes, idOf, lastTimeOf, packLane, startOf } from './lanes.js';
import { fitScale, listVisible, toTime, toX, zoomScale } from './scale.js';
/** @import { FeedEvent, State } from '../state/types.d.ts' */
/** @import { Item, PackedLane, Span } from './lanes.js' */

/**
 * @typedef {ReturnType<typeof createTimeline>} Timeline
 * @typedef {{ id: string, x: number, y: number, up: boolean }} Tip
 * @typedef {PackedLane & { key: string }} VisibleLane a lane as it is drawn; it is drawn
 *   again when its key changes
 */

const PAGE = 2_000;
/** More spans would need hundreds of MB. The log has the rest. */
const MAX_SPANS = 30_000;
/** Five minutes across a wide screen. */
const FIRST_MS_PER_PX = 270;
/** The share of the width to the right of "now" while following. */
const AHEAD = 0.06;

/**
 * @param {State} state
 * @param {ReturnType<typeof import('../scheduler.js').createScheduler>} scheduler
 */
export function createTimeline(state, scheduler) {
  const turns = scheduler.lane_turns;
  const timeline = {
    ms_per_px: FIRST_MS_PER_PX,
    to_ms: 0,
    width: 0,
    is_following: true,
    lanes: createLanes(),
    /** @type {Map<string, Span>} */
    spans: new Map(),
    /** The epoch of the lanes; null before the timeline is first shown. @type {string | null} */
    epoch: null,
    /** All events since then are loaded, in ms. */
    from_ms: 0,
    /** All events from this id on are loaded. */
    before: 0,
    /** True if the log may hold events before `before`. */
    has_older: false,
    /** @type {'idle' | 'loading' | 'failed'} */
    loading: 'idle',
    /** What is drawn, by agent. @type {Map<string, VisibleLane>} */
    visible: new Map(),
    /** What the pointer or the focus is on. @type {Tip | null} */
    tip: null,
  };

  /** Draw all lanes again. */
  function redraw() {
    turns.invalidate();
    scheduler.requestDraw();
  }

  function rebuild() {
    timeline.lanes = createLanes();
    timeline.spans = new Map();
    timeline.epoch = state.epoch;
    for (const row of state.rows) if (row.kind === 'task') addRow(row);
    // Open tasks may have started before the rows that are loaded.
    for (const agent of state.agents.values()) {
      for (const { row } of agent.tasks.values()) addRow(row);
    }
    const first = state.rows[0];
    timeline.before = first?.id ?? state.head + 1;
    timeline.from_ms = first ? Date.parse(first.received_at) : Infinity;
    timeline.has_older = state.has_older;
    timeline.loading = 'idle';
    turns.invalidate();
  }

  /** @param {import('../state/types.d.ts').TaskEvent} row */
  const addRow = (row) => addUpdate(timeline.lanes, timeline.spans, row);

  async function load() {
    if (!timeline.has_older || timeline.loading === 'loading') return;
    timeline.loading = 'loading';
    const { epoch, before } = timeline;
    try {
      const events = await fetchOlderEvents(before, PAGE, { kind: 'task' });
      if (timeline.epoch !== epoch || timeline.before !== before) return;
      timeline.loading = 'idle';
      for (const row of events) if (row.kind === 'task') addRow(row);
      timeline.has_older = events.length > 0;
      if (events.length > 0) {
        timeline.before = events[0].id;
        timeline.from_ms = Date.parse(events[0].received_at);
      }
    } catch {
      timeline.loading = 'failed';
    }
    redraw();
  }

  return Object.assign(timeline, {
    load,

    /**
     * Prepare a drawing. Return a key that changes when the lanes are to be drawn again.
     * @param {number} host_now_ms @param {number} now_ms
     * @param {boolean} is_frame_full true if other parts use this frame
     */
    update(host_now_ms, now_ms, is_frame_full) {
      if (timeline.epoch !== state.epoch || timeline.spans.size > MAX_SPANS * 1.2) rebuild();
      const { is_following, width, ms_per_px } = timeline;
      if (is_following) timeline.to_ms = host_now_ms + AHEAD * width * ms_per_px;
      const is_missing = width > 0 && toTime(timeline, 0) < timeline.from_ms;
      if (is_missing && timeline.loading === 'idle' && timeline.spans.size < MAX_SPANS) void load();
      return turns.advance({
        now_ms,
        ms_per_px,
        is_moving: is_following,
        is_live: state.link.phase === 'live',
        is_full: is_frame_full,
      });
    },

    /** Add a live event. @param {FeedEvent} event */
    addEvent(event) {
      if (timeline.epoch === null || event.kind !== 'task') return;
      addRow(event);
      turns.addUpdate();
    },

    /** Build the lanes again at the next drawing, after a new snapshot. */
    reload() {
      timeline.epoch = null;
    },

    /**
     * Return an agent's lane as it is to be drawn.
     * @param {string} agent @param {number} place from the top @param {number} max_rows
     * @returns {VisibleLane}
     */
    getLane(agent, place, max_rows) {
      const key = `${turns.getRevision(place)} ${place} ${max_rows}`;
      const known = timeline.visible.get(agent);
      if (known?.key === key) return known;
      const lane = timeline.lanes.get(agent);
      if (!lane) return { key, items: [], rows: 1 };
      const { items, rows } = packLane(lane, timeline.ms_per_px, max_rows);
      return { key, items: listVisible(items, timeline), rows };
    },

    /** @param {string} id a `data-item` */
    findItem: (id) => findItem(timeline.visible, id),

    /**
     * Return the id of the bar beside another: in the same lane, or in the next lane at
     * about the same time. Pan to it if it is out of sight.
     * @param {string | null} id @param {number} along @param {number} across
     */
    moveTo(id, along, across) {
      const next = findNextItem(timeline.visible, timeline, id, along, across);
      if (!next) return null;
      const x = toX(timeline, next.from);
      if (id !== null && (x < 0 || x > timeline.width - 20)) this.pan(x - timeline.width / 2);
      return idOf(next);
    },

    /** @param {number} factor above 1 shows more time @param {number} [x] px */
    zoom(factor, x = timeline.is_following ? timeline.width * (1 - AHEAD) : timeline.width / 2) {
      Object.assign(timeline, zoomScale(timeline, factor, x));
      redraw();
    },
    /** @param {number} px to the right, towards now */
    pan(px) {
      timeline.is_following = false;
      timeline.to_ms += px * timeline.ms_per_px;
      redraw();
    },
    /** Show all that is loaded. */
    fit() {
      const spans = [...timeline.spans.values()];
      if (spans.length === 0) return;
      const from = spans.map(startOf).reduce((a, b) => Math.min(a, b));
      const to = spans.map(lastTimeOf).reduce((a, b) => Math.max(a, b));
      timeline.is_following = false;
      Object.assign(timeline, fitScale(from, to, timeline.width));
      redraw();
    },
    /** @param {Item} item */
    zoomToItem({ spans, from, to }) {
      const end = Number.isFinite(to) ? to : Math.max(...spans.map(lastTimeOf));
      timeline.is_following = false;
      Object.assign(timeline, fitScale(from, Math.max(end, from + 10), timeline.width));
      redraw();
    },
    toggleFollow() {
      timeline.is_following = !timeline.is_following;
      redraw();
    },
    /** @param {Tip | null} tip */
    setTip(tip) {
      if (tip?.id === timeline.tip?.id) return;
      timeline.tip = tip;
      redraw();
    },
    /** @param {number} width px */
    resize(width) {
      const is_first = timeline.width === 0;
      timeline.width = width;
      // A recording has no "now" to follow.
      if (is_first && state.link.phase === 'recording') this.fit();
      redraw();
    },
  });
}

/** @param {Map<string, VisibleLane>} visible @param {string} id */
function findItem(visible, id) {
  for (const [agent, { items }] of visible) {
    const item = items.find((each) => idOf(each) === id);
    if (item) return { agent, item };
  }
  return null;
}

/**
 * @param {Map<string, VisibleLane>} visible @param {import('./scale.js').Scale} scale
 * @param {string | null} id of the current item
 * @param {number} along @param {number} across @returns {Item | undefined}
 */
function findNextItem(visible, scale, id, along, across) {
  const current = id === null ? null : findItem(visible, id);
  if (!current) {
    const items = [...visible.values()].flatMap((lane) => lane.items);
    return items.find((item) => toX(scale, item.to) > 0);
  }
  const agents = [...visible.keys()].filter((agent) => visible.get(agent)?.items.length);
  const agent = agents[agents.indexOf(current.agent) + across];
  const lane = [...(visible.get(agent)?.items ?? [])];
  lane.sort((a, b) => a.from - b.from || a.row - b.row);
  if (across === 0) return lane[lane.findIndex((item) => idOf(item) === id) + along];
  return lane.find((item) => item.from >= current.item.from) ?? lane[lane.length - 1];
}
