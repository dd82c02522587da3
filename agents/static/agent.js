// @ts-check
// Owns what the page says to its agent: A2A over HTTP+JSON, and the ticker it follows.
// Answers go to page.js.

/**
 * @typedef {import('./stage.js').Row} Row
 *
 * @typedef {object} Part
 * @property {string} [text]
 * @property {any} [data]
 *
 * @typedef {object} A2ATask
 * @property {string} id
 * @property {string} contextId
 * @property {{ state: string, message?: { parts: Part[] } }} status
 * @property {{ parts: Part[] }[]} [artifacts]
 *
 * @typedef {object} Handlers
 * @property {(row: Row) => void} row
 * @property {(link: 'live' | 'lost') => void} link
 */

/** A refused request; its message is for a person. */
export class AgentError extends Error {}

/** It was asked about a task that it does not know. */
export class UnknownTask extends AgentError {}

const HEADERS = { 'content-type': 'application/json', 'a2a-version': '1.0' };
const DEADLINE_MS = 15_000;
/** How soon to try again where the browser gives up: at anything but a lost line. */
const RETRY_MS = 1_000;

/** @type {Record<string, string>} */
const STATUS = {
  TASK_STATE_COMPLETED: 'completed',
  TASK_STATE_FAILED: 'error',
  TASK_STATE_CANCELED: 'cancelled',
  TASK_STATE_REJECTED: 'rejected',
};

/**
 * Follows all tasks for ever. A lost line is the browser's to mend: it comes back with
 * the last id it had. @param {Handlers} handlers
 */
export function follow(handlers) {
  const source = new EventSource('./tasks/stream');
  source.onopen = () => handlers.link('live');
  source.onmessage = (event) => handlers.row(JSON.parse(event.data));
  source.onerror = () => {
    handlers.link('lost');
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => follow(handlers), RETRY_MS);
    }
  };
}

/**
 * Starts a task, or answers the one named. @param {string} text
 * @param {{ skillId?: string, taskId?: string }} [about]
 * @returns {Promise<{ task?: A2ATask, message?: { parts: Part[] } }>}
 */
export function send(text, { skillId, taskId } = {}) {
  const message = {
    messageId: randomId(),
    role: 'ROLE_USER',
    parts: [{ text }],
    ...(taskId && { taskId }),
    ...(skillId && { metadata: { skillId } }),
  };
  const configuration = { returnImmediately: true };
  return call('POST', './message:send', { message, configuration });
}

/** @param {string} id @returns {Promise<A2ATask>} */
export const cancel = (id) => call('POST', `${taskUrl(id)}:cancel`, {});

/** @param {string} id @returns {Promise<A2ATask>} */
export const get = (id) => call('GET', taskUrl(id));

/** The ticker's row of a task that is over, null of any other. @param {A2ATask} task @returns {Row | null} */
export function lastRow(task) {
  const status = STATUS[task.status.state];
  if (!status) return null;
  const message = textOf(task.status.message?.parts);
  const result = (task.artifacts ?? []).map(({ parts }) => textOf(parts));
  return {
    task_id: task.id,
    status,
    progress: status === 'completed' ? 100 : null,
    ...(status === 'completed'
      ? { result: result.filter(Boolean).join('\n') || message }
      : { message }),
  };
}

/** The choices that a question comes with. @param {A2ATask} task @returns {string[]} */
export function choicesOf(task) {
  const parts = task.status.message?.parts ?? [];
  const choices = parts.map((part) => part.data?.choices).find(Array.isArray) ?? [];
  return choices.filter((/** @type {unknown} */ choice) => typeof choice === 'string');
}

/** @param {Part[] | undefined} parts */
export const textOf = (parts) =>
  (parts ?? []).flatMap(({ text }) => (text ? [text] : [])).join('\n');

/** @param {string} id */
const taskUrl = (id) => `./tasks/${encodeURIComponent(id)}`;

/** Not crypto.randomUUID, which plain http on a LAN address does not have. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * One A2A call. The path begins with `./`: `message:send` alone is a URL of its own, of
 * the scheme `message`.
 * @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>}
 */
async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: HEADERS,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new AgentError('The agent does not answer.');
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const why = answer?.error?.message || `The agent answered ${response.status}.`;
  throw new (response.status === 404 ? UnknownTask : AgentError)(why);
}
