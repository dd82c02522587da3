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
export function startAsCurl(base, agent, { text, skillId, taskId, contextId }) {
  const message = {
    messageId: taskId ? 'm2' : 'm1',
    role: 'ROLE_USER',
    parts: [{ text }],
    ...(taskId && { taskId }),
    ...(contextId && { contextId }),
    ...(skillId && { metadata: { skillId } }),
  };
  return asCurl(base, url(agent, 'message:send'), { message });
}

/**
 * What can be done with a task, as commands for a terminal, by what they do.
 * @param {string} base the page's own address @param {import('../state/types.d.ts').TaskEvent} row
 */
export function curlsOf(base, { agent, task_id, context_id, status, choices }) {
  const path = url(agent, `tasks/${encodeURIComponent(task_id)}`);
  const query = new URLSearchParams({ agent, task: task_id });
  const asks = status === 'input-required' || status === 'auth-required';
  const answer = { text: choices?.[0] ?? 'Yes', taskId: task_id, contextId: context_id };
  return {
    'Its events': asCurl(base, `feed.ndjson?${query}`),
    'As the agent has it': asCurl(base, path),
    ...(FINISHED.has(status)
      ? null
      : {
          Follow: asCurl(base, `${path}:subscribe`, null, '-N '),
          ...(asks && { Answer: startAsCurl(base, agent, answer) }),
          Stop: asCurl(base, `${path}:cancel`, {}),
        }),
  };
}

/** The same for an agent that is to be followed. @param {string} base the page's own address */
export const addAsCurl = (base) =>
  asCurl(base, 'agents', { url: 'https://agents.example.org/travel' });

/** What can be done about an agent. @param {string} base @param {string} agent */
export function agentCurls(base, agent) {
  const path = `agents/${encodeURIComponent(agent)}`;
  return {
    'Retry now': asCurl(base, `${path}:retry`, {}),
    Remove: asCurl(base, path, null, '-X DELETE '),
  };
}

const FINISHED = new Set(['completed', 'error', 'cancelled', 'rejected']);

/**
 * Without what the page's address may hold of a name and a password.
 * @param {string} base @param {string} path @param {object | null} [body] @param {string} [how]
 */
function asCurl(base, path, body = null, how = '') {
  const address = new URL(path, base);
  Object.assign(address, { username: '', password: '' });
  const lines = [`curl ${how}${quoted(address.href)}`];
  const headers = [
    ...(body ? ["-H 'content-type: application/json'"] : []),
    ...(path.startsWith('a2a/') ? ["-H 'a2a-version: 1.0'"] : []),
  ];
  if (headers.length > 0) lines.push(headers.join(' '));
  if (body) lines.push(`-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`);
  return lines.join(' \\\n  ');
}

/** For a shell. @param {string} text */
const quoted = (text) =>
  /^[\w:/.%~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

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
  if (response.status === 401) {
    throw new ActionError('Your session has ended: load the page again to sign in.');
  }
  throw new ActionError(
    answer?.error?.message || `The host answered ${response.status}.`,
  );
}
