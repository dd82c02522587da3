// @ts-check
// The timeline's time scale: times to pixels and back, zoom, the visible range, the marks
// of the ruler. Pure.

import { MIN_PX } from './lanes.js';
/** @import { Item } from './lanes.js' */

/**
 * @typedef {object} Scale
 * @property {number} ms_per_px
 * @property {number} to_ms the time at the right edge
 * @property {number} width px
 */

/** From a tenth of a second to a year across a screen. */
const MIN_MS_PER_PX = 0.1;
const MAX_MS_PER_PX = 3e7;
/** Browsers lay out in 64ths of a pixel, up to 2^25. */
const FAR_PX = 2 ** 18;

/** Return the pixels from the left edge to a time. @param {Scale} scale @param {number} ms */
export const toX = (scale, ms) => scale.width - (scale.to_ms - ms) / scale.ms_per_px;

/** Return the time at a pixel. @param {Scale} scale @param {number} x px */
export const toTime = (scale, x) => scale.to_ms - (scale.width - x) * scale.ms_per_px;

/**
 * Return the range that is in the document: the window and half a screen beside it, in
 * steps of half a screen. Bars are placed relative to `base`, which rarely changes, so
 * panning moves one element only.
 * @param {Scale} scale @returns {{ base: number, from: number, to: number }} ms
 */
export function getFrame({ to_ms, width, ms_per_px }) {
  const half = Math.max(1, (width / 2) * ms_per_px);
  const at = Math.floor(to_ms / half) * half;
  const far = FAR_PX * ms_per_px;
  return { base: Math.floor(to_ms / far) * far, from: at - 2 * half, to: at + half };
}

/** List the items that reach into the frame. @param {Item[]} items @param {Scale} scale */
export function listVisible(items, scale) {
  const { from, to } = getFrame(scale);
  const min_ms = MIN_PX * scale.ms_per_px;
  return items.filter((item) => item.from < to && Math.max(item.to, item.from + min_ms) > from);
}

/** @param {number} ms_per_px */
const clamp = (ms_per_px) => Math.min(MAX_MS_PER_PX, Math.max(MIN_MS_PER_PX, ms_per_px));

/**
 * Zoom around the time at `x`.
 * @param {Scale} scale @param {number} factor above 1 shows more time @param {number} x px
 */
export function zoomScale(scale, factor, x) {
  const ms_per_px = clamp(scale.ms_per_px * factor);
  return { ms_per_px, to_ms: toTime(scale, x) + (scale.width - x) * ms_per_px };
}

/** Show a range of times with some margin. @param {number} from @param {number} to @param {number} width */
export function fitScale(from, to, width) {
  const ms_per_px = clamp(((to - from) / width) * 1.08);
  return { ms_per_px, to_ms: to + 0.04 * width * ms_per_px };
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
export const DAY = 1_440 * MINUTE;
/** The distances between two marks. */
const STEPS = [
  [[10, 20, 50, 100, 200, 500], 1],
  [[1, 2, 5, 10, 15, 30], SECOND],
  [[1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720], MINUTE],
  [[1, 2, 7, 14, 28, 91, 182], DAY],
].flatMap(([counts, unit]) => /** @type {number[]} */ (counts).map((n) => n * Number(unit)));

/**
 * List the marks in the frame: round local times, at least `space` px apart.
 * @param {Scale} scale @param {number} space px
 * @returns {{ step: number, marks: number[] }} ms
 */
export function listMarks(scale, space) {
  const min_ms = space * scale.ms_per_px;
  const step = STEPS.find((ms) => ms >= min_ms) ?? STEPS[STEPS.length - 1];
  const { from, to } = getFrame(scale);
  const zone = new Date(scale.to_ms).getTimezoneOffset() * MINUTE;
  const marks = [];
  for (let ms = Math.ceil((from - zone) / step) * step + zone; ms < to; ms += step) {
    marks.push(ms);
  }
  return { step, marks };
}
