// @ts-check
// Talks to the agent: A2A over HTTP+JSON, and the stream of all tasks.

/**
 * @typedef {import('./tasks.js').Row} Row
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

/** A failed request; the page shows its message. */
export class AgentError extends Error {}

/** The agent does not know the task. */
export class UnknownTaskError extends AgentError {}

const HEADERS = { 'content-type': 'application/json', 'a2a-version': '1.0' };
const DEADLINE_MS = 15_000;
/** The browser reconnects after a lost connection, but not after an error response. */
const RETRY_MS = 1_000;

/** @type {Record<string, string>} */
const STATUS = {
  TASK_STATE_COMPLETED: 'completed',
  TASK_STATE_FAILED: 'error',
  TASK_STATE_CANCELED: 'cancelled',
  TASK_STATE_REJECTED: 'rejected',
};

/** Follows all tasks for ever, from the last event that arrived. @param {Handlers} handlers */
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
 * Starts a task, or answers a task's question. @param {string} text
 * @param {{ skillId?: string, taskId?: string }} [about]
 * @returns {Promise<{ task?: A2ATask, message?: { parts: Part[] } }>}
 */
export function send(text, { skillId, taskId } = {}) {
  // JSON leaves out what is undefined.
  const metadata = skillId && { skillId };
  const message = { messageId: createId(), role: 'ROLE_USER', parts: [{ text }], taskId, metadata };
  const configuration = { returnImmediately: true };
  return call('POST', './message:send', { message, configuration });
}

/** @param {string} id @returns {Promise<A2ATask>} */
export const cancelTask = (id) => call('POST', `${getUrl(id)}:cancel`, {});

/** @param {string} id @returns {Promise<A2ATask>} */
export const getTask = (id) => call('GET', getUrl(id));

/** Builds the last row of a finished task; null for an open one. @param {A2ATask} task @returns {Row | null} */
export function buildLastRow(task) {
  const status = STATUS[task.status.state];
  if (!status) return null;
  const message = getText(task.status.message?.parts);
  if (status !== 'completed') return { task_id: task.id, status, progress: null, message };
  const texts = (task.artifacts ?? []).map(({ parts }) => getText(parts)).filter(Boolean);
  return { task_id: task.id, status, progress: 100, result: texts.join('\n') || message };
}

/** Reads the choices of a task's question. @param {A2ATask} task @returns {string[]} */
export function getChoices(task) {
  const parts = task.status.message?.parts ?? [];
  const choices = parts.map((part) => part.data?.choices).find(Array.isArray) ?? [];
  return choices.filter((/** @type {unknown} */ choice) => typeof choice === 'string');
}

/** @param {Part[] | undefined} parts */
export const getText = (parts) =>
  (parts ?? []).flatMap(({ text }) => (text ? [text] : [])).join('\n');

/** @param {string} id */
const getUrl = (id) => `./tasks/${encodeURIComponent(id)}`;

/** crypto.randomUUID does not exist on plain http beyond this machine. */
function createId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Makes one A2A call. The path needs its `./`: in `message:send` the browser would read
 * `message` as the scheme.
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
  const message = answer?.error?.message || `The agent answered ${response.status}.`;
  throw new (response.status === 404 ? UnknownTaskError : AgentError)(message);
}
