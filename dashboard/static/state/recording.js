// @ts-check
// Parse a recording (NDJSON events of a feed), and show it in place of a host. No DOM.

import { applyEvent, createState } from './store.js';
/** @import { AgentEvent, FeedEvent, State } from './types.d.ts' */

/** The fields that the views need of each kind. @type {Record<string, string[]>} */
const REQUIRED = {
  task: ['task_id', 'status'],
  artifact: ['task_id', 'artifact_id', 'parts'],
  message: ['message'],
  agent: ['connection', 'skills'],
  gap: ['task_id', 'message'],
};
const LISTS = new Set(['parts', 'skills']);

/**
 * Return the file's events, sorted by id, without duplicates. Throws an Error that names
 * the first bad line.
 * @param {string} text @returns {FeedEvent[]}
 */
export function parseRecording(text) {
  /** @type {Map<number, FeedEvent>} */
  const events = new Map();
  text.split('\n').forEach((line, at) => {
    if (line.trim() === '') return;
    const event = parseObject(line);
    const fields = ['id', 'kind', 'agent', 'received_at', ...(REQUIRED[event?.kind] ?? [])];
    const missing = event && fields.find((name) => !isValid(name, event[name]));
    if (!event || missing) {
      const why = event ? `it has no ${missing}` : 'it is not a JSON object';
      throw new Error(`Line ${at + 1} is not a feed event: ${why}.`);
    }
    // A newer Courtside may write other kinds. Skip them.
    if (event.kind in REQUIRED) events.set(event.id, event);
  });
  if (events.size === 0) throw new Error('The file has no events.');
  return [...events.values()].sort((a, b) => a.id - b.id);
}

/** @param {string} line @returns {any} */
function parseObject(line) {
  try {
    const value = JSON.parse(line);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {string} name @param {unknown} value */
function isValid(name, value) {
  if (name === 'id') return Number.isSafeInteger(value);
  if (name === 'received_at') return typeof value === 'string' && !Number.isNaN(Date.parse(value));
  return LISTS.has(name) ? Array.isArray(value) : typeof value === 'string';
}

/**
 * Replace the state with the state at the end of a recording.
 * @param {State} state @param {FeedEvent[]} events @param {string} name of the file
 */
export function applyRecording(state, events, name) {
  const { received_at } = events[events.length - 1];
  const { roster_version } = state;
  Object.assign(state, createState(), { epoch: `recording ${name}`, head: -1, roster_version });
  for (const event of events) applyEvent(state, event, Date.parse(event.received_at), true);
  for (const agent of state.agents.values()) agent.row ??= placeholder(agent.name, received_at);
  state.rows = events;
  state.skipped = 0;
  Object.assign(state.link, { phase: 'recording', lost_at_ms: Date.parse(received_at) });
}

/** Build the row of an agent without one. @param {string} agent @param {string} received_at */
const placeholder = (agent, received_at) =>
  /** @type {AgentEvent} */ ({
    kind: 'agent',
    id: 0,
    agent,
    received_at,
    connection: 'recorded',
    skills: [],
    url: '',
    cause: 'The file has no card of this agent.',
    attempt: 0,
    retry_s: null,
    title: null,
    description: null,
    version: null,
    followed: null,
  });
