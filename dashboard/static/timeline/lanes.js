// @ts-check
// Build the timeline's lanes: one span per task, and the rows of a lane in which the spans
// do not overlap. Pure.

import { taskKey } from '../state/selectors.js';
import { isOpen, isRepeat, newsTimeOf } from '../state/status.js';
/** @import { TaskEvent } from '../state/types.d.ts' */

/**
 * @typedef {object} Span one task
 * @property {string} key `agent/task_id`
 * @property {TaskEvent} row the last row
 * @property {number[]} times when each update arrived, rising, in ms of the host's clock
 * @property {string[]} statuses the status of each update
 *
 * @typedef {object} Lane one agent
 * @property {Span[]} spans
 * @property {number} version counts the changes of a span's start or end
 * @property {PackedLane & { key: string } | null} packed the last result of packLane
 *
 * @typedef {{ items: Item[], rows: number }} PackedLane
 *
 * @typedef {object} Item a bar: one task, several tasks too short to tell apart (`group`),
 *   or tasks that found no row (`more`)
 * @property {'task' | 'group' | 'more'} kind
 * @property {Span[]} spans
 * @property {number} from ms
 * @property {number} to ms; Infinity while a task is open
 * @property {number} row -1 until it has one
 */

/** Narrower bars could not be seen or clicked. */
export const MIN_PX = 6;
const SPACE_PX = 2;
/** Tasks shorter than this become a group if too many start within BUCKET_PX. */
const SHORT_PX = 14;
const BUCKET_PX = 32;
const MORE_PX = 64;

/** By agent name. @returns {Map<string, Lane>} */
export const createLanes = () => new Map();

/**
 * Add one update of a task, at whatever time.
 * @param {Map<string, Lane>} lanes @param {Map<string, Span>} spans by key
 * @param {TaskEvent} row
 */
export function addUpdate(lanes, spans, row) {
  const ms = Date.parse(newsTimeOf(row));
  if (Number.isNaN(ms)) return;
  let lane = lanes.get(row.agent);
  if (!lane) lanes.set(row.agent, (lane = { spans: [], version: 0, packed: null }));
  const key = taskKey(row.agent, row.task_id);
  let span = spans.get(key);
  if (!span) {
    span = { key, row, times: [], statuses: [] };
    spans.set(key, span);
    lane.spans.push(span);
  }
  const { times, statuses } = span;
  if (isRepeat(row) && times.length > 0) {
    if (ms >= times[times.length - 1]) span.row = row;
    return;
  }
  const [old_start, old_end] = [startOf(span), times.length && endOf(span)];
  const last = times.length - 1;
  if (last < 0 || ms >= times[last]) {
    // The snapshot repeats the last update.
    if (ms === times[last] && row.status === statuses[last]) return;
    times.push(ms);
    statuses.push(row.status);
    span.row = row;
  } else {
    const at = times.findIndex((time) => time >= ms);
    if (times[at] === ms && statuses[at] === row.status) return;
    times.splice(at, 0, ms);
    statuses.splice(at, 0, row.status);
  }
  // An open task's progress moves no bar.
  if (startOf(span) !== old_start || endOf(span) !== old_end) lane.version += 1;
}

/** @param {Span} span */
export const startOf = (span) => span.times[0];

/** @param {Span} span */
export const lastTimeOf = (span) => span.times[span.times.length - 1];

/** Return the end, or Infinity for an open task. @param {Span} span */
export const endOf = (span) => (isOpen(span.row) ? Infinity : lastTimeOf(span));

/**
 * Assign a row to each item of a lane. Rows do not depend on what is visible, so nothing
 * jumps while the user pans. An open task has a row of its own.
 * @param {Lane} lane @param {number} ms_per_px @param {number} max_rows
 * @returns {PackedLane}
 */
export function packLane(lane, ms_per_px, max_rows) {
  const key = `${lane.version} ${ms_per_px} ${max_rows}`;
  if (lane.packed?.key === key) return lane.packed;
  const items = groupSpans(lane.spans, ms_per_px, max_rows);
  /** The end of the last item of each row. @type {number[]} */
  const ends = [];
  /** @type {Map<number, Item>} */
  const more = new Map();
  for (const item of items) {
    let row = ends.findIndex((end) => end <= item.from);
    if (row < 0) row = ends.length;
    if (row === max_rows) {
      addToMore(more, item, MORE_PX * ms_per_px, max_rows);
      continue;
    }
    item.row = row;
    ends[row] = Math.max(item.to, item.from + MIN_PX * ms_per_px) + SPACE_PX * ms_per_px;
  }
  const placed = items.filter((item) => item.row >= 0);
  lane.packed = {
    key,
    items: [...placed, ...more.values()],
    rows: Math.max(1, ends.length) + (more.size > 0 ? 1 : 0),
  };
  return lane.packed;
}

/**
 * Add an item without a row to the `more` item of its time step.
 * @param {Map<number, Item>} more @param {Item} item @param {number} step_ms @param {number} row
 */
function addToMore(more, { from, spans }, step_ms, row) {
  const at = Math.floor(from / step_ms);
  const known = more.get(at);
  if (known) known.spans.push(...spans);
  else {
    const start = at * step_ms;
    more.set(at, { kind: 'more', spans: [...spans], from: start, to: start + step_ms, row });
  }
}

/**
 * Turn spans into items, sorted by start. Short tasks become a group where too many start
 * in one time step. The steps do not move while the user pans.
 * @param {Span[]} spans @param {number} ms_per_px @param {number} max_rows @returns {Item[]}
 */
function groupSpans(spans, ms_per_px, max_rows) {
  /** @type {Item[]} */
  const items = [];
  /** @type {Map<number, Span[]>} */
  const steps = new Map();
  for (const span of spans) {
    const from = startOf(span);
    if (endOf(span) - from < SHORT_PX * ms_per_px) {
      const at = Math.floor(from / (BUCKET_PX * ms_per_px));
      const step = steps.get(at);
      if (step) step.push(span);
      else steps.set(at, [span]);
    } else items.push(taskItem(span));
  }
  for (const [at, step] of steps) {
    if (step.length > max_rows) {
      const from = Math.min(...step.map(startOf));
      // Within its step, so that groups are side by side in one row.
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
  from: startOf(span),
  to: endOf(span),
  row: -1,
});

/** Return an item's id in the document; for a task, its key. @param {Item} item */
export const idOf = ({ kind, spans, from }) =>
  kind === 'task' ? spans[0].key : `${kind} ${spans[0].row.agent} ${from}`;
