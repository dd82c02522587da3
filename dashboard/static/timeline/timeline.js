// @ts-check
// The timeline's state: the scale (zoom, pan, follow), the visible lanes, and the part of
// the log that is loaded for it. view.js shows it.

import { fetchOlderEvents } from '../client/feed.js';
import { addUpdate, createLanes, idOf, lastTimeOf, packLane, startOf } from './lanes.js';
import { fitScale, listVisible, toTime, toX, zoomScale } from './scale.js';
/** @import { FeedEvent, State } from '../state/types.d.ts' */
/** @import { Item, PackedLane, Span } from './lanes.js' */

/**
 * @typedef {import('../scheduler.js').Scheduler} Scheduler
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

export class Timeline {
  ms_per_px = FIRST_MS_PER_PX;
  to_ms = 0;
  width = 0;
  is_following = true;
  lanes = createLanes();
  /** @type {Map<string, Span>} */
  spans = new Map();
  /** The epoch of the lanes; null before the timeline is first shown. @type {string | null} */
  epoch = null;
  /** All events since then are loaded, in ms. */
  from_ms = 0;
  /** All events from this id on are loaded. */
  before = 0;
  /** True if the log may hold events before `before`. */
  has_older = false;
  /** @type {'idle' | 'loading' | 'failed'} */
  loading = 'idle';
  /** What is drawn, by agent. @type {Map<string, VisibleLane>} */
  visible = new Map();
  /** What the pointer or the focus is on. @type {Tip | null} */
  tip = null;

  /** @param {State} state @param {Scheduler} scheduler */
  constructor(state, scheduler) {
    this.state = state;
    this.scheduler = scheduler;
    this.turns = scheduler.lane_turns;
  }

  /**
   * Prepare a drawing. Return a key that changes when the lanes are to be drawn again.
   * @param {number} host_now_ms @param {number} now_ms
   * @param {boolean} is_frame_full true if other parts use this frame
   */
  update(host_now_ms, now_ms, is_frame_full) {
    if (this.epoch !== this.state.epoch || this.spans.size > MAX_SPANS * 1.2) this.rebuild();
    if (this.is_following) this.to_ms = host_now_ms + AHEAD * this.width * this.ms_per_px;
    const is_missing = this.width > 0 && toTime(this, 0) < this.from_ms;
    if (is_missing && this.loading === 'idle' && this.spans.size < MAX_SPANS) void this.load();
    return this.turns.advance({
      now_ms,
      ms_per_px: this.ms_per_px,
      is_moving: this.is_following,
      is_live: this.state.link.phase === 'live',
      is_full: is_frame_full,
    });
  }

  /** Draw all lanes again. */
  redraw() {
    this.turns.invalidate();
    this.scheduler.requestDraw();
  }

  rebuild() {
    const { epoch, rows, agents, head, has_older } = this.state;
    this.lanes = createLanes();
    this.spans = new Map();
    this.epoch = epoch;
    for (const row of rows) if (row.kind === 'task') addUpdate(this.lanes, this.spans, row);
    // Open tasks may have started before the rows that are loaded.
    for (const { tasks } of agents.values()) {
      for (const { row } of tasks.values()) addUpdate(this.lanes, this.spans, row);
    }
    this.before = rows[0]?.id ?? head + 1;
    this.from_ms = rows[0] ? Date.parse(rows[0].received_at) : Infinity;
    this.has_older = has_older;
    this.loading = 'idle';
    this.turns.invalidate();
  }

  /** Load an older page of the log. */
  async load() {
    if (!this.has_older || this.loading === 'loading') return;
    this.loading = 'loading';
    const { epoch, before } = this;
    try {
      const events = await fetchOlderEvents(before, PAGE, { kind: 'task' });
      if (this.epoch !== epoch || this.before !== before) return;
      this.loading = 'idle';
      for (const row of events) if (row.kind === 'task') addUpdate(this.lanes, this.spans, row);
      this.has_older = events.length > 0;
      if (events.length > 0) {
        this.before = events[0].id;
        this.from_ms = Date.parse(events[0].received_at);
      }
    } catch {
      this.loading = 'failed';
    }
    this.redraw();
  }

  /** Add a live event. @param {FeedEvent} event */
  addEvent(event) {
    if (this.epoch === null || event.kind !== 'task') return;
    addUpdate(this.lanes, this.spans, event);
    this.turns.addUpdate();
  }

  /** Build the lanes again at the next drawing, after a new snapshot. */
  reload() {
    this.epoch = null;
  }

  /**
   * Return an agent's lane as it is to be drawn.
   * @param {string} agent @param {number} place from the top @param {number} max_rows
   * @returns {VisibleLane}
   */
  getLane(agent, place, max_rows) {
    const key = `${this.turns.getRevision(place)} ${place} ${max_rows}`;
    const known = this.visible.get(agent);
    if (known?.key === key) return known;
    const lane = this.lanes.get(agent);
    if (!lane) return { key, items: [], rows: 1 };
    const { items, rows } = packLane(lane, this.ms_per_px, max_rows);
    return { key, items: listVisible(items, this), rows };
  }

  /** @param {string} id a `data-item` */
  findItem(id) {
    return findItem(this.visible, id);
  }

  /**
   * Return the id of the bar beside another: in the same lane, or in the next lane at
   * about the same time. Pan to it if it is out of sight.
   * @param {string | null} id @param {number} along @param {number} across
   */
  moveTo(id, along, across) {
    const next = findNextItem(this.visible, this, id, along, across);
    if (!next) return null;
    const x = toX(this, next.from);
    if (id !== null && (x < 0 || x > this.width - 20)) this.pan(x - this.width / 2);
    return idOf(next);
  }

  /** @param {number} factor above 1 shows more time @param {number} [x] px */
  zoom(factor, x = this.is_following ? this.width * (1 - AHEAD) : this.width / 2) {
    Object.assign(this, zoomScale(this, factor, x));
    this.redraw();
  }

  /** @param {number} px to the right, towards now */
  pan(px) {
    this.is_following = false;
    this.to_ms += px * this.ms_per_px;
    this.redraw();
  }

  /** Show all that is loaded. */
  fit() {
    const spans = [...this.spans.values()];
    if (spans.length === 0) return;
    const from = spans.map(startOf).reduce((a, b) => Math.min(a, b));
    const to = spans.map(lastTimeOf).reduce((a, b) => Math.max(a, b));
    this.fitTo(from, to);
  }

  /** @param {Item} item */
  zoomToItem({ spans, from, to }) {
    const end = Number.isFinite(to) ? to : Math.max(...spans.map(lastTimeOf));
    this.fitTo(from, Math.max(end, from + 10));
  }

  /** @param {number} from ms @param {number} to ms */
  fitTo(from, to) {
    this.is_following = false;
    Object.assign(this, fitScale(from, to, this.width));
    this.redraw();
  }

  toggleFollow() {
    this.is_following = !this.is_following;
    this.redraw();
  }

  /** @param {Tip | null} tip */
  setTip(tip) {
    if (tip?.id === this.tip?.id) return;
    this.tip = tip;
    this.redraw();
  }

  /** @param {number} width px */
  resize(width) {
    const is_first = this.width === 0;
    this.width = width;
    // A recording has no "now" to follow.
    if (is_first && this.state.link.phase === 'recording') this.fit();
    this.redraw();
  }
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
