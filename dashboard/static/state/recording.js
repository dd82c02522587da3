// @ts-check
// Owns a saved feed: the lines of an NDJSON file read into events, and the state as it was
// at the last of them. main.js shows it in place of a host. No DOM.

import { applyEvent } from './store.js';

/**
 * @typedef {import('./types.d.ts').State} State
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 */

/** What the views rely on; everything else may be missing. @type {Record<string, string[]>} */
const NEEDS = {
  task: ['task_id', 'status'],
  artifact: ['task_id', 'artifact_id', 'parts'],
  message: ['message'],
  agent: ['connection', 'skills'],
  gap: ['task_id', 'message'],
};
const LISTS = new Set(['parts', 'skills']);

/**
 * The events of a file, in the order of their ids, each once. Throws an Error that says
 * which line is none.
 * @param {string} text @returns {FeedEvent[]}
 */
export function readRecording(text) {
  /** @type {Map<number, FeedEvent>} */
  const events = new Map();
  text.split('\n').forEach((line, at) => {
    if (line.trim() === '') return;
    const event = parsed(line);
    const missing = event && ['id', 'kind', 'agent', 'received_at', ...(NEEDS[event.kind] ?? [])].find(
      (name) => !isGood(name, event[name]),
    );
    if (!event || missing) {
      const why = event ? `it has no ${missing}` : 'it is not a JSON object';
      throw new Error(`Line ${at + 1} is not an event of a feed: ${why}.`);
    }
    // Of a later Courtside: nothing here could show it.
    if (event.kind in NEEDS) events.set(event.id, event);
  });
  if (events.size === 0) throw new Error('There is no event in it.');
  return [...events.values()].sort((a, b) => a.id - b.id);
}

/** @param {string} line @returns {any} */
function parsed(line) {
  try {
    const value = JSON.parse(line);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {string} name @param {unknown} value */
function isGood(name, value) {
  if (name === 'id') return Number.isSafeInteger(value);
  if (name === 'received_at') return typeof value === 'string' && !Number.isNaN(Date.parse(value));
  return LISTS.has(name) ? Array.isArray(value) : typeof value === 'string';
}

/**
 * Puts a recording in place of all there is.
 * @param {State} state @param {FeedEvent[]} events @param {string} name of its file
 */
export function applyRecording(state, events, name) {
  const last = events[events.length - 1];
  const end_ms = Date.parse(last.received_at);
  Object.assign(state, { epoch: `recording ${name}`, head: -1, agents: new Map(), rows: [] });
  state.rate = { second: 0, counts: new Array(60).fill(0) };
  for (const event of events) applyEvent(state, event, Date.parse(event.received_at), true);
  for (const agent of state.agents.values()) agent.row ??= unrecorded(agent.name, last.received_at);
  Object.assign(state, { rows: events, has_older: false, skipped: 0, reset_reason: null });
  const clock = { lost_at_ms: end_ms, skew_ms: 0 };
  state.link = { phase: 'recording', attempt: 0, retry_at_ms: null, ...clock };
}

/** An agent of which the file has tasks only. @param {string} agent @param {string} received_at */
const unrecorded = (agent, received_at) =>
  /** @type {import('./types.d.ts').AgentEvent} */ ({
    ...{ kind: 'agent', id: 0, agent, received_at, connection: 'recorded', skills: [] },
    ...{ url: '', cause: 'Its card is not in this file.', attempt: 0, retry_s: null },
    ...{ title: null, description: null, version: null, followed: null },
  });
