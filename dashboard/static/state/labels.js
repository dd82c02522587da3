// @ts-check
// Owns what things are called: the word and the icon of each status and connection,
// and one line of text for each event. Drawn by the views, said by the announcer. Pure.

import { plural, seconds } from './format.js';

/**
 * @typedef {import('./types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('./types.d.ts').AgentEvent} AgentEvent
 * @typedef {import('./types.d.ts').ArtifactEvent} ArtifactEvent
 * @typedef {import('./types.d.ts').Agent} Agent
 * @typedef {import('./types.d.ts').GapEvent} GapEvent
 * @typedef {import('./types.d.ts').Part} Part
 * @typedef {{ word: string, icon: import('../view/icons.js').IconName }} Label
 */

/** @type {Record<string, Label>} */
const STATUS = {
  submitted: { word: 'submitted', icon: 'dashed' },
  running: { word: 'running', icon: 'half' },
  'input-required': { word: 'needs input', icon: 'question' },
  'auth-required': { word: 'needs sign-in', icon: 'lock' },
  completed: { word: 'completed', icon: 'check' },
  error: { word: 'failed', icon: 'cross' },
  rejected: { word: 'rejected', icon: 'minus' },
  cancelled: { word: 'cancelled', icon: 'stopped' },
  unknown: { word: 'unknown', icon: 'dashed' },
};

export const STATUSES = Object.keys(STATUS);

/** @type {Record<string, Label>} */
const CONNECTION = {
  connecting: { word: 'connecting', icon: 'dashed' },
  connected: { word: 'connected', icon: 'dot' },
  lost: { word: 'lost', icon: 'broken' },
  removed: { word: 'removed', icon: 'minus' },
  recorded: { word: 'recorded', icon: 'page' },
};

/** @type {Record<string, string>} */
const BINDING = { JSONRPC: 'JSON-RPC', GRPC: 'gRPC' };

/** @type {Record<string, Label>} */
const KIND = {
  artifact: { word: 'artifact', icon: 'page' },
  message: { word: 'message', icon: 'bubble' },
  gap: { word: 'gap', icon: 'gap' },
};

/** @param {string} status @returns {Label} */
export const statusLabel = (status) => STATUS[status] ?? STATUS.unknown;

/** Connected is not all: it may behave badly. @param {AgentEvent | null} row @returns {Label} */
export function agentLabel(row) {
  const label = CONNECTION[row?.connection ?? 'connecting'] ?? CONNECTION.connecting;
  return row?.trouble ? { ...label, icon: 'warning' } : label;
}

/** @param {AgentEvent | null} row */
export const agentTone = (row) =>
  row?.trouble ? 'trouble' : (row?.connection ?? 'connecting');

/** @param {FeedEvent} event @returns {Label} */
export function eventLabel(event) {
  if (event.kind === 'task') return statusLabel(event.status);
  if (event.kind === 'agent') return agentLabel(event);
  return KIND[event.kind] ?? { word: event.kind, icon: 'dashed' };
}

/** The `data-tone` of an event, which chooses its colour. @param {FeedEvent} event */
export function eventTone(event) {
  if (event.kind === 'task') return event.status;
  return event.kind === 'agent' ? agentTone(event) : event.kind;
}

/** What an event says, in one line. @param {FeedEvent} event @returns {string} */
export function eventText(event) {
  switch (event.kind) {
    case 'task':
      return event.result ?? event.message ?? '';
    case 'artifact':
      return artifactText(event);
    case 'agent':
      return agentText(event);
    case 'gap':
      return gapText(event);
    default:
      return event.message;
  }
}

/** @param {AgentEvent} row */
function agentText(row) {
  if (row.connection === 'connected') {
    return row.trouble ?? [row.url, ...followedHow(row)].join(' · ');
  }
  if (row.connection === 'removed') return 'No longer followed. What it said stays here.';
  const attempt = row.attempt > 0 ? `attempt ${row.attempt}` : null;
  const next = row.retry_s === null ? null : `next in ${seconds(row.retry_s)}`;
  const when = [attempt, next].filter(Boolean).join(', ');
  return [row.cause ?? row.url, when].filter(Boolean).join(' · ');
}

/**
 * What is spoken with the agent and how its tasks are followed, as far as it is known:
 * `JSON-RPC 1.0`, `streaming`.
 * @param {AgentEvent} row
 */
export function followedHow(row) {
  const { binding, protocol, followed } = row;
  const spoken = binding && [BINDING[binding] ?? binding, protocol].filter(Boolean);
  return [spoken && spoken.join(' '), followed].filter((word) => typeof word === 'string');
}

/** @param {GapEvent} event */
function gapText({ message, missing }) {
  return missing === undefined ? message : `${message} · at most ${plural(missing, 'update')}`;
}

/** @param {ArtifactEvent} event */
function artifactText(event) {
  const name = event.name || event.artifact_id;
  return `${name}: ${event.parts.map(partText).join(' ')}`;
}

/** @param {Part} part @returns {string} */
function partText(part) {
  if (part.text !== undefined) return part.text;
  if (part.data !== undefined) return JSON.stringify(part.data);
  return part.filename ?? part.url ?? part.mediaType ?? 'file';
}

/** What an agent is called on the page. @param {Agent | undefined} agent @param {string} name */
export const agentTitle = (agent, name) =>
  agent?.row?.title || name.charAt(0).toUpperCase() + name.slice(1);

/** A task id short enough for a column; the end differs even where ids count up. @param {string} id */
export const shortId = (id) => id.slice(-6);
