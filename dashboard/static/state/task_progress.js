// @ts-check
// Read the task-progress metadata (A2A PR #1448) of a raw update: the overall percent, and
// the trackers, one for each part of the work. Pure.

/** @typedef {{ id: string, percent: number | null, text: string, status: string }} Tracker */

const MAX_TRACKERS = 100;

/** @param {any} raw an A2A update @returns {Tracker[]} empty if it has none */
export function readTrackers(raw) {
  const trackers = findProgress(raw)?.trackers;
  if (!Array.isArray(trackers)) return [];
  return trackers
    .filter((each) => each !== null && typeof each === 'object')
    .slice(0, MAX_TRACKERS)
    .map(({ id, progress, total, message, status }) => ({
      id: String(id ?? ''),
      percent: total > 0 && progress >= 0 ? Math.min(100, (100 * progress) / total) : null,
      text: typeof message === 'string' ? message : '',
      status: status === 'completed' ? 'completed' : status === 'failed' ? 'error' : 'running',
    }));
}

/** @param {any} raw an A2A update @returns {number | null} */
export function readPercent(raw) {
  const { progress, total } = findProgress(raw)?.aggregate ?? {};
  return total > 0 && progress >= 0 ? (100 * progress) / total : null;
}

/** @param {any} raw */
function findProgress(raw) {
  const update = raw?.statusUpdate ?? raw?.task;
  for (const metadata of [update?.metadata, update?.status?.message?.metadata]) {
    for (const name in metadata ?? {}) {
      if (name.endsWith('task-progress/v1')) return metadata[name];
    }
  }
  return null;
}
