// @ts-check
// Owns what the A2A specification says against an agent: its updates as they come, and
// its card. The store asks for each event, the drawer shows what was found. Pure.
//
// The host tells nothing that an agent says of a task after its end, so that cannot be
// seen here, except in a recording that somebody else has made.

import { statedPercent } from './task_progress.js';

/**
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('./types.d.ts').TaskEvent} TaskEvent
 * @typedef {import('./types.d.ts').ArtifactEvent} ArtifactEvent
 *
 * @typedef {object} Seen what is known of one task so far
 * @property {TaskEvent | null} row
 * @property {string | null} context
 * @property {boolean} isAll whether its first event was seen, and none was missed since
 * @property {Map<string, boolean>} artifacts whether the agent said that nothing follows
 */

const OVER = new Set(['completed', 'error', 'cancelled', 'rejected']);

/** @param {TaskEvent | null} [row] where it stands already @returns {Seen} */
export const unseen = (row = null) => ({
  row,
  context: row?.context_id ?? null,
  isAll: row === null,
  artifacts: new Map(),
});

/**
 * What is wrong with one event after those before it; notes it in `seen`.
 * @param {Seen} seen @param {FeedEvent} event @returns {string[]}
 */
export function lint(seen, event) {
  /** @type {string[]} */
  const flaws = [];
  if (event.kind !== 'task' && event.kind !== 'artifact') {
    if (event.kind === 'gap') seen.isAll = false;
    return flaws;
  }
  if (seen.row && OVER.has(seen.row.status)) {
    flaws.push(`The task was over (${seen.row.status}). TaskState: a terminal state is the last one.`);
  }
  if (seen.context && event.context_id && event.context_id !== seen.context) {
    flaws.push(
      `It is of context ${event.context_id}, the task of ${seen.context}. Task.contextId: a task belongs to one context.`,
    );
  }
  seen.context ??= event.context_id;
  if (event.kind === 'task') {
    ofStatus(seen, event, flaws);
    seen.row = event;
  } else {
    ofChunk(seen, event, flaws);
    const { artifact_id, append, last_chunk } = event;
    seen.artifacts.set(artifact_id, last_chunk || (append && seen.artifacts.get(artifact_id) === true));
  }
  return flaws;
}

/** @param {Seen} seen @param {TaskEvent} event @param {string[]} flaws */
function ofStatus({ row }, event, flaws) {
  // Without a time of the agent's it is the host's own word.
  const own = event.at === null;
  if (event.status === 'unknown' && !own) {
    flaws.push('TaskStatus.state is required, and must say which state it is.');
  }
  if (event.status === 'submitted' && row && row.status !== 'submitted') {
    flaws.push(`Submitted again after ${row.status}. TaskState: a task is submitted once, when it is made.`);
  }
  if (event.message && !event.message_id && !own) {
    flaws.push('Message.messageId is required: without it, a message that comes twice cannot be told from two.');
  }
  if (event.status === 'input-required' && !event.message) {
    flaws.push('It needs input and does not say which. TaskStatus.message is where it would.');
  }
  if (row?.at && event.at && event.at < row.at) {
    flaws.push(`TaskStatus.timestamp went back from ${row.at} to ${event.at}.`);
  }
}

/** @param {Seen} seen @param {ArtifactEvent} event @param {string[]} flaws */
function ofChunk({ artifacts, isAll }, event, flaws) {
  const { artifact_id, append, parts } = event;
  if (append && isAll && !artifacts.has(artifact_id)) {
    flaws.push('Appended to an artifact that was never sent. TaskArtifactUpdateEvent.append: to one sent before.');
  }
  if (append && artifacts.get(artifact_id)) {
    flaws.push('TaskArtifactUpdateEvent.lastChunk was true: nothing may be appended after it.');
  }
  if (!artifact_id) flaws.push('Artifact.artifactId is required.');
  if (parts.length === 0) flaws.push('Artifact.parts must have at least one part.');
  for (const part of parts) {
    const has = ['text', 'raw', 'url', 'data'].filter((name) => name in part);
    if (has.length !== 1) flaws.push(`A Part has one of text, raw, url and data; this has ${has.join(', ') || 'none'}.`);
  }
}

/** What an update itself says, against the row that the host made of it. @param {TaskEvent} row @param {any} raw */
export function lintRaw(row, raw) {
  const stated = statedPercent(raw);
  if (stated === null || row.progress === null || stated + 0.1 >= row.progress) return [];
  return [`Its progress went back to ${Math.floor(stated)}%; shown is the ${Math.floor(row.progress)}% that it had.`];
}

/** What a card must have. @type {[name: string, isList: boolean][]} */
const CARD = [
  ['name', false],
  ['description', false],
  ['version', false],
  ['defaultInputModes', true],
  ['defaultOutputModes', true],
  ['skills', true],
];

/**
 * What an agent's card lacks. Its interfaces and security are the host's in what the
 * host shows, and not looked at.
 * @param {any} card
 */
export function lintCard(card) {
  const flaws = CARD.filter(([name, isList]) =>
    isList ? !Array.isArray(card?.[name]) || card[name].length === 0 : !card?.[name],
  ).map(([name]) => `AgentCard.${name} is required.`);
  const ids = new Set();
  for (const skill of Array.isArray(card?.skills) ? card.skills : []) {
    const which = skill?.id || skill?.name || '?';
    for (const name of ['id', 'name', 'description', 'tags']) {
      if (!skill?.[name]?.length) flaws.push(`Skill “${which}”: AgentSkill.${name} is required.`);
    }
    if (ids.has(skill?.id)) flaws.push(`Two skills have the id “${which}”: AgentSkill.id is unique.`);
    ids.add(skill?.id);
  }
  return flaws;
}
