// @ts-check
// Task statuses: which are terminal, which are failures, which wait for a person. Pure.

const TERMINAL = new Set(['completed', 'error', 'cancelled', 'rejected']);
export const FAILED = new Set(['error', 'rejected']);
const WAITING = new Set(['input-required', 'auth-required']);

/**
 * The agent may answer a reply with a new task. Then the old one no longer counts as open,
 * although the agent does not end it.
 * @param {{ status: string, continued_by?: string }} row
 */
export const isOpen = (row) => !TERMINAL.has(row.status) && !row.continued_by;

/** @param {{ status: string }} row */
export const isFailed = (row) => FAILED.has(row.status);

/** @typedef {import('./types.d.ts').TaskEvent} TaskEvent */

/** @param {Pick<TaskEvent, 'stalled_since'>} row */
export const isStalled = (row) => typeof row.stalled_since === 'string';

/**
 * Return whether the host wrote this row itself: it repeats the row before, because the
 * task is stalled or goes on.
 * @param {Pick<TaskEvent, 'stalled_since'>} row
 */
export const isRepeat = (row) => row.stalled_since !== undefined;

/** Return the time of a task's last news. @param {TaskEvent} row */
export const newsTimeOf = (row) => row.stalled_since ?? row.received_at;

/** @param {{ status: string, continued_by?: string }} row */
export const isWaiting = (row) => WAITING.has(row.status) && !row.continued_by;

/** Return the status to show. @param {{ status: string, continued_by?: string }} row */
export const shownStatus = (row) => (row.continued_by ? 'continued' : row.status);
