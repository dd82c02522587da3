// @ts-check
// Owns the timeline's geometry: tasks folded into spans, lanes packed into rows, what of
// them is in sight, the marks of the time scale. view/timeline.js draws it. Pure.

import { taskKey } from '../state/selectors.js';
import { isOpen } from '../state/store.js';

/**
 * @typedef {import('../state/types.d.ts').TaskEvent} TaskEvent
 *
 * @typedef {object} Span one task in time
 * @property {string} key `agent/task_id`
 * @property {TaskEvent} row its last row
 * @property {number[]} times when each update came, rising, in ms of the host's clock
 * @property {string[]} states the status that each update told
 *
 * @typedef {object} Lane
 * @property {Span[]} spans
 * @property {number} version grows when a bar begins or ends elsewhere
 * @property {{ key: string, items: Item[], rows: number } | null} packed
 *
 * @typedef {object} Item what is drawn: one task, several too small to tell apart
 *   (`group`), or those that found no row (`more`)
 * @property {'task' | 'group' | 'more'} kind
 * @property {Span[]} spans
 * @property {number} from ms
 * @property {number} to ms; Infinity while a task is open
 * @property {number} row
 *
 * @typedef {object} View
 * @property {number} ms_per_px
 * @property {number} to_ms the time at the right edge
 * @property {number} width px
 */

/** A bar is never narrower: it could be neither seen nor hit. */
export const MIN_PX = 6;
const SPACE_PX = 2;
/** Tasks shorter than this may be drawn together, when too many start within BUCKET_PX. */
const TINY_PX = 14;
const BUCKET_PX = 32;
const MORE_PX = 64;
/** From a tenth of a second to a year across a screen. */
const MIN_SCALE = 0.1;
const MAX_SCALE = 3e7;

/** The lanes, by agent's name. @returns {Map<string, Lane>} */
export const createLanes = () => new Map();

/**
 * Adds one update of a task, wherever in the past it belongs.
 * @param {Map<string, Lane>} lanes @param {Map<string, Span>} spans @param {TaskEvent} row
 */
export function addUpdate(lanes, spans, row) {
  const ms = Date.parse(row.received_at);
  if (Number.isNaN(ms)) return;
  let lane = lanes.get(row.agent);
  if (!lane) lanes.set(row.agent, (lane = { spans: [], version: 0, packed: null }));
  const key = taskKey(row.agent, row.task_id);
  let span = spans.get(key);
  if (!span) {
    span = { key, row, times: [], states: [] };
    spans.set(key, span);
    lane.spans.push(span);
  }
  const { times, states } = span;
  const [before_from, before_to] = [startOf(span), times.length && endOf(span)];
  if (times.length === 0 || ms >= times[times.length - 1]) {
    // The current row comes in the snapshot, too: it is not told twice.
    if (ms === times[times.length - 1] && row.status === states[states.length - 1]) return;
    times.push(ms);
    states.push(row.status);
    span.row = row;
  } else {
    let at = 0;
    while (times[at] < ms) at += 1;
    if (times[at] === ms && states[at] === row.status) return;
    times.splice(at, 0, ms);
    states.splice(at, 0, row.status);
  }
  // Progress of an open task moves no bar.
  if (startOf(span) !== before_from || endOf(span) !== before_to) lane.version += 1;
}

/** @param {Span} span */
export const startOf = (span) => span.times[0];

/** An open task goes on. @param {Span} span */
export const endOf = (span) =>
  isOpen(span.row) ? Infinity : span.times[span.times.length - 1];

/**
 * Which row each task of a lane has, at this scale. Rows do not depend on what is in
 * sight, so that nothing jumps while panning; an open task keeps its row to itself.
 * @param {Lane} lane @param {number} ms_per_px @param {number} max_rows
 */
export function pack(lane, ms_per_px, max_rows) {
  const key = `${lane.version} ${ms_per_px} ${max_rows}`;
  if (lane.packed?.key === key) return lane.packed;
  const items = grouped(lane.spans, ms_per_px, max_rows);
  /** @type {number[]} */
  const ends = [];
  /** @type {Map<number, Item>} */
  const left = new Map();
  for (const item of items) {
    let row = ends.findIndex((end) => end <= item.from);
    if (row < 0) row = ends.length;
    if (row === max_rows) {
      setAside(left, item, ms_per_px, max_rows);
      continue;
    }
    item.row = row;
    ends[row] =
      Math.max(item.to, item.from + MIN_PX * ms_per_px) + SPACE_PX * ms_per_px;
  }
  const placed = items.filter((item) => item.row >= 0);
  lane.packed = {
    key,
    items: [...placed, ...left.values()],
    rows: Math.max(1, ends.length) + (left.size > 0 ? 1 : 0),
  };
  return lane.packed;
}

/** What finds no row is counted below, in steps along the lane. @param {Map<number, Item>} left @param {Item} item @param {number} ms_per_px @param {number} row */
function setAside(left, item, ms_per_px, row) {
  const step = MORE_PX * ms_per_px;
  const at = Math.floor(item.from / step);
  const more = left.get(at);
  if (more) more.spans.push(...item.spans);
  else {
    const from = at * step;
    left.set(at, { kind: 'more', spans: [...item.spans], from, to: from + step, row });
  }
}

/**
 * The lane's items by their start; short tasks in one when their steps are too full.
 * Steps stand in time, not on the screen: they do not change while panning.
 * @param {Span[]} spans @param {number} ms_per_px @param {number} max_rows @returns {Item[]}
 */
function grouped(spans, ms_per_px, max_rows) {
  /** @type {Item[]} */
  const items = [];
  /** @type {Map<number, Span[]>} */
  const steps = new Map();
  for (const span of spans) {
    const from = span.times[0];
    if (endOf(span) - from < TINY_PX * ms_per_px) {
      const at = Math.floor(from / (BUCKET_PX * ms_per_px));
      const step = steps.get(at);
      if (step) step.push(span);
      else steps.set(at, [span]);
    } else items.push(taskItem(span));
  }
  for (const [at, step] of steps) {
    if (step.length > max_rows) {
      const from = Math.min(...step.map(startOf));
      // Into its step, so that groups stand side by side in one row.
      const to = ((at + 1) * BUCKET_PX - SPACE_PX) * ms_per_px;
      items.push({ kind: 'group', spans: step, from, to, row: -1 });
    } else for (const span of step) items.push(taskItem(span));
  }
  return items.sort((a, b) => a.from - b.from);
}

/** @param {Span} span @returns {Item} */
const taskItem = (span) => ({
  kind: 'task',
  spans: [span],
  from: span.times[0],
  to: endOf(span),
  row: -1,
});

/** What an item is called in the document. @param {Item} item */
export const idOf = ({ kind, spans, from }) =>
  kind === 'task' ? spans[0].key : `${kind} ${spans[0].row.agent} ${from}`;

/** Where a time is, in px from the left edge. @param {View} view @param {number} ms */
export const xOf = (view, ms) => view.width - (view.to_ms - ms) / view.ms_per_px;

/** Which time is there. @param {View} view @param {number} x px */
export const timeAt = (view, x) => view.to_ms - (view.width - x) * view.ms_per_px;

/**
 * What is in the document: the window and half a screen beside it, in steps of half a
 * screen. Bars are placed from `base`, which stays for long: panning moves one element.
 * @param {View} view @returns {{ base: number, from: number, to: number }} ms
 */
export function frameOf({ to_ms, width, ms_per_px }) {
  const half = Math.max(1, (width / 2) * ms_per_px);
  const at = Math.floor(to_ms / half) * half;
  const far = FAR_PX * ms_per_px;
  return { base: Math.floor(to_ms / far) * far, from: at - 2 * half, to: at + half };
}
/** Layouts are in 64ths of a pixel, up to 2^25. */
const FAR_PX = 2 ** 18;

/** The items that reach into the frame. @param {Item[]} items @param {View} view */
export function inSight(items, view) {
  const { from, to } = frameOf(view);
  const least = MIN_PX * view.ms_per_px;
  return items.filter((item) => item.from < to && Math.max(item.to, item.from + least) > from);
}

/**
 * Larger or smaller, with the time under `x` staying there.
 * @param {View} view @param {number} factor above 1 shows more time @param {number} x px
 */
export function zoomed(view, factor, x) {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, view.ms_per_px * factor));
  const at = timeAt(view, x);
  return { ms_per_px: scale, to_ms: at + (view.width - x) * scale };
}

/** The view in which all these times are. @param {number} from @param {number} to @param {number} width */
export function fitted(from, to, width) {
  const scale = ((to - from) / width) * 1.08;
  const ms_per_px = Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale));
  return { ms_per_px, to_ms: to + 0.04 * width * ms_per_px };
}

const S = 1_000;
const DAY = 86_400 * S;
const STEPS = [
  ...[10, 20, 50, 100, 200, 500, S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S],
  ...[1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * 60 * S),
  ...[1, 2, 7, 14, 28, 91, 182].map((days) => days * DAY),
];

/**
 * The marks of the scale in the frame: round local times, at least `space` px apart.
 * @param {View} view @param {number} space px
 * @returns {{ step: number, marks: number[] }}
 */
export function marksOf(view, space) {
  const least = space * view.ms_per_px;
  const step = STEPS.find((ms) => ms >= least) ?? STEPS[STEPS.length - 1];
  const { from, to } = frameOf(view);
  const zone = new Date(view.to_ms).getTimezoneOffset() * 60 * S;
  const marks = [];
  for (let ms = Math.ceil((from - zone) / step) * step + zone; ms < to; ms += step) {
    marks.push(ms);
  }
  return { step, marks };
}

/**
 * The stretches of one state each, from the first update to `end`.
 * @param {Span} span @param {number} end ms
 */
export function stretches({ times, states }, end) {
  /** @type {{ status: string, from: number, to: number }[]} */
  const found = [];
  times.forEach((from, at) => {
    const last = found[found.length - 1];
    if (last) last.to = from;
    if (last?.status !== states[at]) found.push({ status: states[at], from, to: end });
  });
  if (found.length > 0) found[found.length - 1].to = end;
  return found;
}

/** Of two updates closer than this, one mark is enough. */
const TICK_PX = 3;
const MAX_TICKS = 80;

/**
 * A bar's background: a mark for each update above a colour for each stretch. One element
 * however many updates: as two CSS images, with the colours of `--tick` and `--in-STATUS`.
 * The last stretch has no end, so that an open task grows without being painted anew.
 * @param {Span} span @param {number} from ms at the bar's left edge @param {number} ms_per_px
 */
export function paintOf(span, from, ms_per_px) {
  const x = (/** @type {number} */ ms) => Math.max(0, (ms - from) / ms_per_px);
  const px = (/** @type {number} */ ms) => `${x(ms).toFixed(1)}px`;
  const seen = stretches(span, Infinity).filter(({ to }) => to > from);
  const colours = seen.map(({ status, from, to }) =>
    to < Infinity ? `${colourOf(status)} ${px(from)} ${px(to)}` : `${colourOf(status)} ${px(from)}`,
  );
  const ticks = [];
  let last = -Infinity;
  for (const ms of span.times.slice(1)) {
    if (x(ms) < 1 || x(ms) - last < TICK_PX || ticks.length === MAX_TICKS) continue;
    last = x(ms);
    // A stop at 0 begins where the one before it ends.
    ticks.push(`#0000 0 ${(last - 1).toFixed(1)}px,var(--tick) 0 ${last.toFixed(1)}px`);
  }
  const along = (/** @type {string[]} */ stops) => `linear-gradient(90deg,${stops.join(',')})`;
  const marks = ticks.length > 0 ? along([...ticks, '#0000 0']) : 'none';
  return `${marks},${along(colours.length > 1 ? colours : [...colours, ...colours])}`;
}

/** Of a file that somebody sent, a status may be anything. @param {string} status */
const colourOf = (status) =>
  `var(--in-${/^[a-z-]+$/.test(status) ? status : 'unknown'},var(--in-unknown))`;

/** How many tasks have each status, what needs most attention first. @param {Span[]} spans */
export function countsOf(spans) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { row } of spans) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => WORST.indexOf(a) - WORST.indexOf(b));
}

/** A group's background: each status has its share of it. @param {Span[]} spans */
export function sharesOf(spans) {
  let done = 0;
  const stops = countsOf(spans).map(([status, count]) => {
    const from = done;
    done += (count / spans.length) * 100;
    return `${colourOf(status)} ${from.toFixed(1)}% ${done.toFixed(1)}%`;
  });
  return `linear-gradient(0deg,${[...stops, stops[stops.length - 1]].join(',')})`;
}
const WORST = [
  ...['input-required', 'auth-required', 'error', 'rejected', 'running', 'submitted'],
  ...['cancelled', 'completed'],
];
