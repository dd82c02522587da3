// @ts-check
// Owns how times and numbers are written. The views put the strings on the page. Pure:
// every time is handed in.

// By hand, as the clock is: to make the first of Intl's formats holds the page up by 20 ms.
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const DAY_MS = 86_400_000;

/** @param {number} n */
const two = (n) => String(n).padStart(2, '0');

/** By hand: Intl takes ten times as long, and every row of a busy feed needs one. @param {Date} at */
const clock = (at) =>
  `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;

/**
 * The time of a feed row, always twelve characters wide: `12:04:31.207`, or
 * `22 Nov 12:04` for another day.
 * @param {string} iso @param {number} now_ms
 */
export function rowTime(iso, now_ms) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '--:--:--.---';
  const far = Math.abs(now_ms - at.getTime()) >= DAY_MS;
  if (far || at.getDate() !== new Date(now_ms).getDate()) {
    return `${two(at.getDate())} ${MONTHS[at.getMonth()]} ${clock(at).slice(0, 5)}`;
  }
  return `${clock(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** `12:04:31`. @param {number} ms */
export const clockTime = (ms) => clock(new Date(ms));

/** `0:07`, `12:45`, `1:02:03`: how long something has been going on. @param {number} ms */
export function stopwatch(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  const start = hours > 0 ? `${hours}:${two(minutes)}` : `${minutes}`;
  return `${start}:${two(all % 60)}`;
}

/** `now`, `12 s ago`, `3 min ago`, `2 h ago`, `4 d ago`. @param {number} ms */
export function ago(ms) {
  const all = Math.floor(ms / 1000);
  if (all < 1) return 'now';
  if (all < 60) return `${all} s ago`;
  if (all < 3600) return `${Math.floor(all / 60)} min ago`;
  if (all < 86_400) return `${Math.floor(all / 3600)} h ago`;
  return `${Math.floor(all / 86_400)} d ago`;
}

/** `0.4 s`, `2 s`, `3 min`. @param {number} s */
export function seconds(s) {
  if (s >= 60) return `${Math.round(s / 60)} min`;
  return `${s < 1 ? s.toFixed(1) : Math.round(s)} s`;
}

/** How long a task took: `40 ms`, `8.2 s`, `3 min 5 s`, `2 h 10 min`, `9 d 4 h`. @param {number} ms */
export function took(ms) {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const all_s = Math.round(ms / 1000);
  const minutes = Math.floor(all_s / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min ${all_s % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `62%`, or nothing where the agent does not say. @param {number | null} progress */
export const percent = (progress) =>
  progress === null ? '' : `${Math.floor(progress)}%`;

/** Events per second: `0`, `0.4`, `42`. @param {number} rate */
export const perSecond = (rate) =>
  rate === 0 || rate >= 10 ? rate.toFixed(0) : rate.toFixed(1);

/** `17,500`. @param {number} n */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** `1 task`, `3 tasks`, `17,500 tasks`. @param {number} n @param {string} one */
export const plural = (n, one) => `${count(n)} ${one}${n === 1 ? '' : 's'}`;
