// @ts-check
// Owns what the page asks of the host: start, stop and reply, which it passes to the
// agents; add, remove and retry one. What the page shows changes when the event comes
// back up the feed.

/**
 * @typedef {{ text: string, skillId?: string, taskId?: string, contextId?: string | null }} Words
 */

/** A refused request; its message is the server's, for a person. */
export class ActionError extends Error {}

/** How long the host may take to pass a command on. */
const DEADLINE_MS = 15_000;

const HEADERS = { 'content-type': 'application/json', 'a2a-version': '1.0' };

/** The A2A SendMessageRequest that starts a task or answers one. @param {Words} words */
export function messageRequest({ text, skillId, taskId, contextId }) {
  return {
    message: {
      messageId: randomId(),
      role: 'ROLE_USER',
      parts: [{ text }],
      ...(taskId && { taskId }),
      ...(contextId && { contextId }),
      ...(skillId && { metadata: { skillId } }),
    },
    configuration: { returnImmediately: true },
  };
}

/** Not crypto.randomUUID, which plain http on a LAN address does not have. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Starts a task, or answers one. The id of its task, or null where the agent answered
 * with a message alone. @param {string} agent @param {Words} words
 * @returns {Promise<string | null>}
 */
export async function send(agent, words) {
  const answer = await post(url(agent, 'message:send'), messageRequest(words));
  return answer?.task?.id ?? null;
}

/** Asks the agent to stop a task. @param {string} agent @param {string} taskId */
export async function cancel(agent, taskId) {
  await post(url(agent, `tasks/${encodeURIComponent(taskId)}:cancel`), {});
}

/** Asks the host to try its connection to the agent now. @param {string} agent */
export async function retry(agent) {
  await post(`agents/${encodeURIComponent(agent)}:retry`, {});
}

/** Has the host follow one more agent. @param {Record<string, unknown>} agent url, name, card */
export async function add(agent) {
  await post('agents', agent);
}

/** Has the host follow an agent no more. @param {string} agent */
export async function remove(agent) {
  await ask('DELETE', `agents/${encodeURIComponent(agent)}`);
}

/** @param {string} agent @param {string} path */
const url = (agent, path) => `a2a/${encodeURIComponent(agent)}/${path}`;

/**
 * The same start as a command for a terminal.
 * @param {string} base the page's own address @param {string} agent @param {Words} words
 */
export function startAsCurl(base, agent, words) {
  const { text, skillId } = words;
  const message = {
    messageId: 'm1',
    role: 'ROLE_USER',
    parts: [{ text }],
    ...(skillId && { metadata: { skillId } }),
  };
  const body = JSON.stringify({ message }).replaceAll("'", "'\\''");
  return [
    `curl ${new URL(url(agent, 'message:send'), base).href} \\`,
    "  -H 'content-type: application/json' -H 'a2a-version: 1.0' \\",
    `  -d '${body}'`,
  ].join('\n');
}

/** @param {string} path @param {object} body */
const post = (path, body) => ask('POST', path, body);

/**
 * @param {'POST' | 'DELETE'} method @param {string} path @param {object} [body]
 * @returns {Promise<any>}
 */
async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: HEADERS,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch (error) {
    throw new ActionError(
      error instanceof DOMException && error.name === 'TimeoutError'
        ? `The host has not answered for ${DEADLINE_MS / 1000} s.`
        : 'The host does not answer.',
    );
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new ActionError(
    answer?.error?.message || `The host answered ${response.status}.`,
  );
}
