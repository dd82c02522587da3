// @ts-check
// Format times, durations and numbers. Pure: callers pass in every time.

// Written by hand: the first Intl format blocks the page for 20 ms, and each later one
// takes ten times as long. Every feed row needs a time.
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const DAY_MS = 86_400_000;

/** @param {number} n */
const pad = (n) => String(n).padStart(2, '0');

/** @param {Date} at */
const formatTimeOfDay = (at) =>
  `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;

/**
 * Format the time of a feed row, always twelve characters: `12:04:31.207`, or
 * `22 Nov 12:04` for another day.
 * @param {string} iso @param {number} now_ms
 */
export function formatRowTime(iso, now_ms) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '--:--:--.---';
  const is_far = Math.abs(now_ms - at.getTime()) >= DAY_MS;
  if (is_far || at.getDate() !== new Date(now_ms).getDate()) {
    return `${pad(at.getDate())} ${MONTHS[at.getMonth()]} ${formatTimeOfDay(at).slice(0, 5)}`;
  }
  return `${formatTimeOfDay(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** `12:04:31`. @param {number} ms */
export const formatClock = (ms) => formatTimeOfDay(new Date(ms));

/** The time since a start: `0:07`, `12:45`, `1:02:03`. @param {number} ms */
export function formatElapsed(ms) {
  const all_s = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(all_s / 3600);
  const minutes = Math.floor(all_s / 60) % 60;
  const start = hours > 0 ? `${hours}:${pad(minutes)}` : `${minutes}`;
  return `${start}:${pad(all_s % 60)}`;
}

/** `now`, `12 s ago`, `3 min ago`, `2 h ago`, `4 d ago`. @param {number} ms */
export function formatAge(ms) {
  return ms < 1000 ? 'now' : `${formatSpan(ms)} ago`;
}

/** `12 s`, `3 min`, `2 h`, `4 d`. @param {number} ms */
export function formatSpan(ms) {
  const all_s = Math.max(0, Math.floor(ms / 1000));
  if (all_s < 60) return `${all_s} s`;
  if (all_s < 3600) return `${Math.floor(all_s / 60)} min`;
  if (all_s < 86_400) return `${Math.floor(all_s / 3600)} h`;
  return `${Math.floor(all_s / 86_400)} d`;
}

/** `0.4 s`, `2 s`, `3 min`. @param {number} s */
export function formatSeconds(s) {
  if (s >= 60) return `${Math.round(s / 60)} min`;
  return `${s < 1 ? s.toFixed(1) : Math.round(s)} s`;
}

/** `40 ms`, `8.2 s`, `3 min 5 s`, `2 h 10 min`, `9 d 4 h`. @param {number} ms */
export function formatDuration(ms) {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const all_s = Math.round(ms / 1000);
  const minutes = Math.floor(all_s / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min ${all_s % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `62%`, or nothing if the agent does not report it. @param {number | null} progress */
export const formatPercent = (progress) =>
  progress === null ? '' : `${Math.floor(progress)}%`;

/** Events per second: `0`, `0.4`, `42`. @param {number} rate */
export const formatRate = (rate) =>
  rate === 0 || rate >= 10 ? rate.toFixed(0) : rate.toFixed(1);

/** `17,500`. @param {number} n */
export const formatCount = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** `1 task`, `3 tasks`, `17,500 tasks`. @param {number} n @param {string} noun */
export const plural = (n, noun) => `${formatCount(n)} ${noun}${n === 1 ? '' : 's'}`;

/** `12 B`, `1.5 kB`, `12.3 MB`. @param {number} bytes */
export function formatSize(bytes) {
  if (bytes < 1e3) return `${Math.round(bytes)} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
