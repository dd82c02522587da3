// @ts-check
// Owns the reading of the task-progress metadata (A2A PR #1448) in a raw update: how far
// each strand of the work is. The drawer draws the strands, lint.js checks the whole. Pure.

/**
 * @typedef {{ id: string, percent: number | null, text: string, status: string }} Tracker
 */

/**
 * The strands of work that an A2A update tells the progress of; [] where it tells none.
 * @param {any} raw @returns {Tracker[]}
 */
export function trackersOf(raw) {
  const trackers = progressOf(raw)?.trackers;
  if (!Array.isArray(trackers)) return [];
  return trackers
    .filter((each) => each !== null && typeof each === 'object')
    .slice(0, 100)
    .map(({ id, progress, total, message, status }) => ({
      id: String(id ?? ''),
      percent: total > 0 && progress >= 0 ? Math.min(100, (100 * progress) / total) : null,
      text: typeof message === 'string' ? message : '',
      status: status === 'completed' ? 'completed' : status === 'failed' ? 'error' : 'running',
    }));
}

/** The percent that an update itself states, where it does. @param {any} raw */
export function statedPercent(raw) {
  const { progress, total } = progressOf(raw)?.aggregate ?? {};
  return total > 0 && progress >= 0 ? (100 * progress) / total : null;
}

/** @param {any} raw */
function progressOf(raw) {
  const update = raw?.statusUpdate ?? raw?.task;
  for (const metadata of [update?.metadata, update?.status?.message?.metadata]) {
    for (const name in metadata ?? {}) {
      if (name.endsWith('task-progress/v1')) return metadata[name];
    }
  }
  return null;
}
