// @ts-check
// Name things: the word and icon of each status and connection, and the text of each
// event. The views and the announcer use them. Pure.

import { formatSeconds, plural } from './format.js';
import { isStalled, shownStatus } from './status.js';
/** @import { Agent, AgentEvent, ArtifactEvent, FeedEvent, GapEvent, Part, TaskEvent } from './types.d.ts' */
/** @typedef {{ word: string, icon: import('../view/icons.js').IconName }} Label */

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

/** @type {Label} */
const CONTINUED = { word: 'continued', icon: 'again' };

/** @type {Record<string, Label>} */
const CONNECTION = {
  connecting: { word: 'connecting', icon: 'dashed' },
  connected: { word: 'connected', icon: 'dot' },
  lost: { word: 'lost', icon: 'broken' },
  removed: { word: 'removed', icon: 'minus' },
  recorded: { word: 'recorded', icon: 'page' },
};

/** The trouble of an agent that cannot take messages starts with this. */
const SEND_FAILURE = 'messages fail';

/** @type {Record<string, string>} */
const BINDING = { JSONRPC: 'JSON-RPC', GRPC: 'gRPC' };

/** @type {Record<string, Label>} */
const KIND = {
  artifact: { word: 'artifact', icon: 'page' },
  message: { word: 'message', icon: 'bubble' },
  gap: { word: 'gap', icon: 'gap' },
};

/** @type {Record<string, Label>} */
const NOTICE = {
  stalled: { word: 'stalled', icon: 'hourglass' },
  resumed: { word: 'resumed', icon: 'again' },
};

/** @param {string} status @returns {Label} */
export const statusLabel = (status) =>
  status === 'continued' ? CONTINUED : (STATUS[status] ?? STATUS.unknown);

/** A connected agent may have a problem too. @param {AgentEvent | null} row @returns {Label} */
export function agentLabel(row) {
  const label = CONNECTION[row?.connection ?? 'connecting'] ?? CONNECTION.connecting;
  if (row?.trouble?.startsWith(SEND_FAILURE)) return { word: SEND_FAILURE, icon: 'warning' };
  return row?.trouble ? { ...label, icon: 'warning' } : label;
}

/** @param {AgentEvent | null} row */
export const agentTone = (row) => (row?.trouble ? 'trouble' : (row?.connection ?? 'connecting'));

/** @param {FeedEvent} event @returns {Label} */
export function eventLabel(event) {
  if (event.kind === 'task') return isStalled(event) ? NOTICE.stalled : statusLabel(shownStatus(event));
  if (event.kind === 'agent') return agentLabel(event);
  if (event.kind === 'notice' && event.notice in NOTICE) return NOTICE[event.notice];
  return KIND[event.kind] ?? { word: event.kind, icon: 'dashed' };
}

/** Return the `data-tone` of an event, which selects its colour. @param {FeedEvent} event */
export function eventTone(event) {
  if (event.kind === 'task') return isStalled(event) ? 'stalled' : shownStatus(event);
  if (event.kind === 'notice') return event.notice;
  return event.kind === 'agent' ? agentTone(event) : event.kind;
}

/**
 * Return a text of a row, with an ellipsis if the host has cut it.
 * @param {TaskEvent} row @param {'message' | 'result'} field
 */
export function rowText(row, field) {
  const text = row[field] ?? '';
  return row.shortened?.[field] === undefined ? text : `${text}…`;
}

/** Return a task's result, or its latest message. @param {TaskEvent} row */
export const taskText = (row) => rowText(row, row.result == null ? 'message' : 'result');

/** Return an event's text. @param {FeedEvent} event @returns {string} */
export function eventText(event) {
  switch (event.kind) {
    case 'task':
      return taskText(event);
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
    return row.trouble ?? [row.url, ...describeFollowing(row)].join(' · ');
  }
  if (row.connection === 'removed') return 'No longer followed. Its events stay here.';
  const attempt = row.attempt > 0 ? `attempt ${row.attempt}` : null;
  const next = row.retry_s === null ? null : `next in ${formatSeconds(row.retry_s)}`;
  const when = [attempt, next].filter(Boolean).join(', ');
  return [row.cause ?? row.url, when].filter(Boolean).join(' · ');
}

/**
 * Say which protocol the host uses with an agent and how it follows the tasks, as far as
 * it is known: `JSON-RPC 1.0`, `streaming`.
 * @param {AgentEvent} row
 */
export function describeFollowing({ binding, protocol, followed }) {
  const spoken = binding && [BINDING[binding] ?? binding, protocol].filter(Boolean).join(' ');
  return [spoken, followed].filter((word) => typeof word === 'string');
}

/** @param {GapEvent} event */
const gapText = ({ message, missing }) =>
  missing === undefined ? message : `${message} · at most ${plural(missing, 'update')}`;

/** @param {ArtifactEvent} event */
const artifactText = ({ name, artifact_id, parts }) =>
  `${name || artifact_id}: ${parts.map(partText).join(' ')}`;

/** @param {Part} part @returns {string} */
export function partText(part) {
  if (part.text !== undefined) return part.text;
  if (part.data !== undefined) return JSON.stringify(part.data);
  return part.filename ?? part.url ?? part.mediaType ?? 'file';
}

/** Return an agent's name for display. @param {Agent | undefined} agent @param {string} name */
export const agentTitle = (agent, name) =>
  agent?.row?.title || name.charAt(0).toUpperCase() + name.slice(1);

/** Shorten a task id to its end, which differs even if ids count up. @param {string} id */
export const shortId = (id) => id.slice(-6);
