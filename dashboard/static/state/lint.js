// @ts-check
// Check an agent's updates and its card against the A2A specification. Pure.
//
// The host drops updates after the end of a task, so only recordings from other programs
// can show that mistake.

import { isOpen, isRepeat } from './status.js';
import { readPercent } from './task_progress.js';
/** @import { ArtifactEvent, FeedEvent, TaskEvent } from './types.d.ts' */

/**
 * @typedef {object} LintState facts about one task so far
 * @property {TaskEvent | null} row
 * @property {string | null} context
 * @property {boolean} is_complete true if no event of the task is missing
 * @property {Map<string, boolean>} artifacts by id; true after the last chunk
 */

/** @param {TaskEvent | null} [row] the task's row, if it is known @returns {LintState} */
export const newLintState = (row = null) => ({
  row,
  context: row?.context_id ?? null,
  is_complete: row === null,
  artifacts: new Map(),
});

/**
 * Return the flaws of one event, and add the event to the lint state.
 * @param {LintState} state @param {FeedEvent} event @returns {string[]}
 */
export function lintEvent(state, event) {
  /** @type {string[]} */
  const flaws = [];
  if (event.kind !== 'task' && event.kind !== 'artifact') {
    if (event.kind === 'gap') state.is_complete = false;
    return flaws;
  }
  if (event.kind === 'task' && isRepeat(event)) return flaws;
  if (state.row && !isOpen(state.row)) {
    flaws.push(`The task had already ended (${state.row.status}). TaskState: a terminal state is the last one.`);
  }
  if (state.context && event.context_id && event.context_id !== state.context) {
    flaws.push(
      `The context is ${event.context_id}, but the task's context is ${state.context}. Task.contextId: a task belongs to one context.`,
    );
  }
  state.context ??= event.context_id;
  if (event.kind === 'task') {
    lintStatus(state, event, flaws);
    state.row = event;
  } else {
    lintChunk(state, event, flaws);
    const { artifact_id, append, last_chunk } = event;
    state.artifacts.set(artifact_id, last_chunk || (append && state.artifacts.get(artifact_id) === true));
  }
  return flaws;
}

/** @param {LintState} state @param {TaskEvent} event @param {string[]} flaws */
function lintStatus({ row }, event, flaws) {
  // Without a time of the agent, the host made the event itself.
  const is_from_agent = event.at !== null;
  if (event.status === 'unknown' && is_from_agent) {
    flaws.push('TaskStatus.state is missing or unspecified. It is required.');
  }
  if (event.status === 'submitted' && row && row.status !== 'submitted') {
    flaws.push(`Submitted again after ${row.status}. TaskState: a task is submitted once, at its start.`);
  }
  if (event.message && !event.message_id && is_from_agent) {
    flaws.push('Message.messageId is missing. Without it, a repeated message looks like a new one.');
  }
  if (event.status === 'input-required' && !event.message) {
    flaws.push('The task needs input, but TaskStatus.message has no question.');
  }
  if (row?.at && event.at && event.at < row.at) {
    flaws.push(`TaskStatus.timestamp went back from ${row.at} to ${event.at}.`);
  }
}

/** @param {LintState} state @param {ArtifactEvent} event @param {string[]} flaws */
function lintChunk({ artifacts, is_complete }, event, flaws) {
  const { artifact_id, append, parts } = event;
  if (append && is_complete && !artifacts.has(artifact_id)) {
    flaws.push('TaskArtifactUpdateEvent.append is true, but the artifact was never sent before.');
  }
  if (append && artifacts.get(artifact_id)) {
    flaws.push('A chunk came after TaskArtifactUpdateEvent.lastChunk was true.');
  }
  if (!artifact_id) flaws.push('Artifact.artifactId is required.');
  if (parts.length === 0) flaws.push('Artifact.parts must have at least one part.');
  for (const part of parts) {
    const has = ['text', 'raw', 'url', 'data'].filter((name) => name in part);
    if (has.length !== 1) {
      flaws.push(`A Part has exactly one of text, raw, url and data. This one has ${has.join(', ') || 'none'}.`);
    }
  }
}

/** Compare a raw update with the row that the host made of it. @param {TaskEvent} row @param {any} raw */
export function lintRaw(row, raw) {
  const percent = readPercent(raw);
  if (percent === null || row.progress === null || percent + 0.1 >= row.progress) return [];
  return [`The progress went back to ${Math.floor(percent)}%. The page still shows ${Math.floor(row.progress)}%.`];
}

/** Required fields of a card. @type {[name: string, isList: boolean][]} */
const CARD = [
  ['name', false],
  ['description', false],
  ['version', false],
  ['defaultInputModes', true],
  ['defaultOutputModes', true],
  ['skills', true],
];

/**
 * Return the flaws of an agent's card. The host replaces a card's interfaces and security,
 * so this does not check them.
 * @param {any} card
 */
export function lintCard(card) {
  const flaws = CARD.filter(([name, isList]) =>
    isList ? !Array.isArray(card?.[name]) || card[name].length === 0 : !card?.[name],
  ).map(([name]) => `AgentCard.${name} is required.`);
  const ids = new Set();
  for (const skill of Array.isArray(card?.skills) ? card.skills : []) {
    const label = skill?.id || skill?.name || '?';
    for (const name of ['id', 'name', 'description', 'tags']) {
      if (!skill?.[name]?.length) flaws.push(`Skill “${label}”: AgentSkill.${name} is required.`);
    }
    if (ids.has(skill?.id)) flaws.push(`Two skills have the id “${label}”. AgentSkill.id must be unique.`);
    ids.add(skill?.id);
  }
  return flaws;
}
