// @ts-check
// Task statuses: which are terminal, which are failures, which wait for a person. Pure.

const TERMINAL = new Set(['completed', 'error', 'cancelled', 'rejected']);
export const FAILED = new Set(['error', 'rejected']);
const WAITING = new Set(['input-required', 'auth-required']);

/** @param {{ status: string }} row */
export const isOpen = (row) => !TERMINAL.has(row.status);

/** @param {{ status: string }} row */
export const isFailed = (row) => FAILED.has(row.status);

/** @param {{ status: string }} row */
export const isWaiting = (row) => WAITING.has(row.status);
