// @ts-check
// Paint a bar as CSS gradients: a colour for each status and a mark for each update. One
// element is enough for any number of updates. Pure.

/** @import { Span } from './lanes.js' */

/** The status that needs most attention comes first. */
const BY_ATTENTION = [
  'input-required',
  'auth-required',
  'error',
  'rejected',
  'running',
  'submitted',
  'cancelled',
  'completed',
];
/** Updates closer than this share a mark. */
const MARK_PX = 3;
const MAX_MARKS = 80;

/**
 * List the periods with one status, from the first update to `end`.
 * @param {Span} span @param {number} end ms
 */
export function listPeriods({ times, statuses }, end) {
  /** @type {{ status: string, from: number, to: number }[]} */
  const periods = [];
  times.forEach((from, at) => {
    const last = periods[periods.length - 1];
    if (last) last.to = from;
    if (last?.status !== statuses[at]) periods.push({ status: statuses[at], from, to: end });
  });
  if (periods.length > 0) periods[periods.length - 1].to = end;
  return periods;
}

/**
 * Return a bar's background, with the colours of `--tick` and `--in-STATUS`. The last
 * period has no end, so an open task grows without new paint.
 * @param {Span} span @param {number} from ms at the bar's left edge @param {number} ms_per_px
 */
export function paintSpan(span, from, ms_per_px) {
  const toX = (/** @type {number} */ ms) => Math.max(0, (ms - from) / ms_per_px);
  const px = (/** @type {number} */ ms) => `${toX(ms).toFixed(1)}px`;
  const colours = listPeriods(span, Infinity)
    .filter(({ to }) => to > from)
    .map(({ status, from, to }) => `${colourOf(status)} ${px(from)}${to < Infinity ? ` ${px(to)}` : ''}`);
  const marks = [];
  let last = -Infinity;
  for (const ms of span.times.slice(1)) {
    const x = toX(ms);
    if (x < 1 || x - last < MARK_PX || marks.length === MAX_MARKS) continue;
    last = x;
    // A stop at 0 begins where the one before it ends.
    marks.push(`#0000 0 ${(x - 1).toFixed(1)}px,var(--tick) 0 ${x.toFixed(1)}px`);
  }
  const lines = marks.length > 0 ? gradient(90, [...marks, '#0000 0']) : 'none';
  // A gradient needs two stops.
  return `${lines},${gradient(90, colours.length > 1 ? colours : [...colours, ...colours])}`;
}

/** Return a group's background: each status has its share. @param {Span[]} spans */
export function paintGroup(spans) {
  let end = 0;
  const stops = countStatuses(spans).map(([status, count]) => {
    const from = end;
    end += (count / spans.length) * 100;
    return `${colourOf(status)} ${from.toFixed(1)}% ${end.toFixed(1)}%`;
  });
  return gradient(0, [...stops, stops[stops.length - 1]]);
}

/** @param {number} angle @param {string[]} stops */
const gradient = (angle, stops) => `linear-gradient(${angle}deg,${stops.join(',')})`;

/** In a recording from elsewhere a status can be any text. @param {string} status */
const colourOf = (status) =>
  `var(--in-${/^[a-z-]+$/.test(status) ? status : 'unknown'},var(--in-unknown))`;

/** Count the tasks per status, sorted by attention. @param {Span[]} spans */
export function countStatuses(spans) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { row } of spans) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => BY_ATTENTION.indexOf(a) - BY_ATTENTION.indexOf(b));
}
