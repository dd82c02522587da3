// @ts-check
// Turn a task's events and its conversation into a list of steps, and sum the time per
// status. The drawer shows both. Pure.

import { partText } from './labels.js';
import { isRepeat } from './status.js';
/** @import { FeedEvent, Part } from './types.d.ts' */

/**
 * @typedef {{ messageId?: string, role?: string, parts?: Part[] }} Message
 *
 * @typedef {object} Step one line of the list
 * @property {'task' | 'artifact' | 'gap' | 'notice' | 'user'} kind
 * @property {string} key stays the same while the step is in the list
 * @property {FeedEvent | null} event the last event of the step; null for a user's message
 * @property {number} count the number of events in the step
 * @property {string} text of the user's message
 * @property {number | null} lasted_ms until the next step; null for the last step
 */

/**
 * List the steps of a task, oldest first. Updates with the same message are one step, and
 * so are the chunks of one artifact.
 * @param {FeedEvent[]} events of one task, in order
 * @param {Message[]} history from the agent's Task
 * @returns {Step[]}
 */
export function listSteps(events, history) {
  const messages = placeUserMessages(history, events);
  /** @type {Step[]} */
  const steps = [];
  /** @type {Step | null} */
  let last = null;
  let started_ms = 0;
  for (const text of messages.get(null) ?? []) steps.push(userStep(text, steps));
  for (const event of events) {
    if (event.kind === 'agent' || event.kind === 'message') continue;
    if (event.kind === 'task' && isRepeat(event)) continue;
    const now_ms = Date.parse(event.received_at);
    if (last && isSameStep(last.event, event)) {
      Object.assign(last, { event, count: last.count + 1 });
    } else {
      if (last) last.lasted_ms = Math.max(0, now_ms - started_ms);
      started_ms = now_ms;
      last = { kind: event.kind, key: String(event.id), event, count: 1, text: '', lasted_ms: null };
      steps.push(last);
    }
    for (const text of messages.get(event.id) ?? []) steps.push(userStep(text, steps));
  }
  return steps;
}

/** @param {string} text @param {Step[]} before @returns {Step} */
const userStep = (text, before) => ({
  kind: 'user',
  key: `${before[before.length - 1]?.key ?? ''}+`,
  event: null,
  count: 1,
  text,
  lasted_ms: null,
});

/** @param {FeedEvent | null} before @param {FeedEvent} event */
function isSameStep(before, event) {
  if (before?.kind === 'artifact' && event.kind === 'artifact') {
    return before.artifact_id === event.artifact_id && event.append;
  }
  return (
    before?.kind === 'task' &&
    event.kind === 'task' &&
    before.status === event.status &&
    before.message === event.message &&
    before.message_id === event.message_id
  );
}

/**
 * Map the user's messages to the event before each; null is before all events. The history
 * has no times, so the ids of the agent's messages give the place.
 * @param {Message[]} history @param {FeedEvent[]} events
 */
function placeUserMessages(history, events) {
  /** @type {Map<string, number>} */
  const event_ids = new Map();
  for (const event of events) {
    if (event.kind === 'task' && event.message_id) event_ids.set(event.message_id, event.id);
  }
  /** @type {Map<number | null, string[]>} */
  const messages = new Map();
  /** @type {number | null} */
  let after = null;
  for (const { role, messageId = '', parts = [] } of history) {
    const text = parts.map(partText).join('\n');
    if (role !== 'ROLE_USER') after = event_ids.get(messageId) ?? after;
    else messages.set(after, [...(messages.get(after) ?? []), text]);
  }
  return messages;
}

/**
 * Sum how long a task was in each status, in ms.
 * @param {FeedEvent[]} events @param {number | null} now_ms for an open task
 */
export function sumTimePerStatus(events, now_ms) {
  /** @type {Map<string, number>} */
  const times = new Map();
  const rows = events.filter((event) => event.kind === 'task');
  rows.forEach(({ status, received_at }, at) => {
    const next = rows[at + 1];
    const end_ms = next ? Date.parse(next.received_at) : now_ms;
    if (end_ms === null) return;
    const lasted = Math.max(0, end_ms - Date.parse(received_at));
    times.set(status, (times.get(status) ?? 0) + lasted);
  });
  return times;
}
