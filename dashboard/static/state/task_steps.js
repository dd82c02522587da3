// @ts-check
// Owns one task's course: its events and what people said to it in one list, each with
// how long it lasted; who started it and whom it started. The drawer draws it. Pure.

import { taskKey } from './selectors.js';

/**
 * @typedef {import('./types.d.ts').State} State
 * @typedef {import('./types.d.ts').Task} Task
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('./types.d.ts').TaskEvent} TaskEvent
 * @typedef {import('./types.d.ts').Part} Part
 * @typedef {{ messageId?: string, role?: string, parts?: Part[] }} Message
 *
 * @typedef {object} Step one line of the course
 * @property {'task' | 'artifact' | 'gap' | 'user'} kind
 * @property {string} key the same for as long as it is in the list
 * @property {FeedEvent | null} event the last one of those it stands for
 * @property {number} count how many it stands for
 * @property {string} text
 * @property {number | null} lasted_ms until the next step; null for the last
 */

/**
 * The course of a task, oldest first. Updates that say the same, and chunks of one
 * artifact, are one step.
 * @param {FeedEvent[]} events of one task, in their order
 * @param {Message[]} history as the agent has it
 * @returns {Step[]}
 */
export function courseOf(events, history) {
  const said = placed(history, events);
  /** @type {Step[]} */
  const steps = [];
  /** @type {Step | null} */
  let last = null;
  let began_ms = 0;
  const add = (/** @type {Step} */ step) => steps.push(step);
  for (const text of said.get(null) ?? []) add(user(text, steps));
  for (const event of events) {
    if (event.kind !== 'task' && event.kind !== 'artifact' && event.kind !== 'gap') continue;
    const now_ms = Date.parse(event.received_at);
    if (last && isSame(last.event, event)) {
      Object.assign(last, { event, count: last.count + 1 });
    } else {
      if (last) last.lasted_ms = Math.max(0, now_ms - began_ms);
      began_ms = now_ms;
      last = { kind: event.kind, key: String(event.id), event, count: 1, text: '', lasted_ms: null };
      add(last);
    }
    for (const text of said.get(event.id) ?? []) add(user(text, steps));
  }
  return steps;
}

/** @param {string} text @param {Step[]} before @returns {Step} */
const user = (text, before) => ({
  kind: 'user',
  // Behind the event before it, or first of all.
  key: `${before[before.length - 1]?.key ?? ''}+`,
  event: null,
  count: 1,
  text,
  lasted_ms: null,
});

/** @param {FeedEvent | null} before @param {FeedEvent} event */
function isSame(before, event) {
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
 * What people said, by the id of the event that it came after: null is before them all.
 * The history has no times; it is the agent's messages in it that both know.
 * @param {Message[]} history @param {FeedEvent[]} events
 */
function placed(history, events) {
  /** @type {Map<string, number>} */
  const known = new Map();
  for (const event of events) {
    if (event.kind === 'task' && event.message_id) known.set(event.message_id, event.id);
  }
  /** @type {Map<number | null, string[]>} */
  const said = new Map();
  /** @type {number | null} */
  let after = null;
  for (const { role, messageId = '', parts } of history) {
    if (role !== 'ROLE_USER') after = known.get(messageId) ?? after;
    else said.set(after, [...(said.get(after) ?? []), wordsOf(parts)]);
  }
  return said;
}

/** @param {Part[] | undefined} parts */
const wordsOf = (parts) =>
  (parts ?? [])
    .map(({ text, data, filename, url }) => text ?? (data === undefined ? (filename ?? url ?? 'a file') : JSON.stringify(data)))
    .join('\n');

/**
 * How long it was in each status so far, in ms.
 * @param {FeedEvent[]} events @param {number | null} now_ms for an open task
 */
export function timesOf(events, now_ms) {
  /** @type {Map<string, number>} */
  const times = new Map();
  /** @type {TaskEvent | null} */
  let last = null;
  const add = (/** @type {number} */ to_ms) => {
    if (!last) return;
    const lasted = Math.max(0, to_ms - Date.parse(last.received_at));
    times.set(last.status, (times.get(last.status) ?? 0) + lasted);
  };
  for (const event of events) {
    if (event.kind !== 'task') continue;
    add(Date.parse(event.received_at));
    last = event;
  }
  if (now_ms !== null) add(now_ms);
  return times;
}

/**
 * The tasks around one: who started it, whom it started, who shares its context.
 * @param {State} state @param {TaskEvent} row
 */
export function kinOf(state, row) {
  const own = taskKey(row.agent, row.task_id);
  /** @type {{ parent: Task[], children: Task[], siblings: Task[] }} */
  const kin = { parent: [], children: [], siblings: [] };
  for (const agent of state.agents.values()) {
    for (const task of agent.tasks.values()) {
      const { task_id, parent_task_id, context_id } = task.row;
      if (taskKey(agent.name, task_id) === own) continue;
      if (row.parent_task_id === task_id) kin.parent.push(task);
      else if (parent_task_id === row.task_id) kin.children.push(task);
      else if (context_id !== null && context_id === row.context_id) kin.siblings.push(task);
    }
  }
  return kin;
}
