// @ts-check
// Send commands to the host: start, stop and reply, which it passes to the agent; add,
// remove and retry an agent. The page changes when the command's event arrives.

/**
 * @typedef {object} Prompt what the user sends to an agent
 * @property {string} text
 * @property {string} [skillId]
 * @property {string} [taskId] the task that this answers
 * @property {string | null} [contextId]
 */

/** A failed request. Its message is for the user. */
export class CommandError extends Error {}

const TIMEOUT_MS = 15_000;
const HEADERS = { 'content-type': 'application/json', 'a2a-version': '1.0' };

/** Build an A2A Message. @param {Prompt} prompt @param {string} messageId */
export const buildMessage = ({ text, skillId, taskId, contextId }, messageId) => ({
  messageId,
  role: 'ROLE_USER',
  parts: [{ text }],
  ...(taskId && { taskId }),
  ...(contextId && { contextId }),
  ...(skillId && { metadata: { skillId } }),
});

/** Build the A2A SendMessageRequest of a prompt. @param {Prompt} prompt */
export const buildSendRequest = (prompt) => ({
  message: buildMessage(prompt, createId()),
  configuration: { returnImmediately: true },
});

/** crypto.randomUUID does not exist on plain http outside of localhost. */
function createId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} agent @param {string} path below the agent's gateway */
export const gatewayPath = (agent, path) => `a2a/${encodeURIComponent(agent)}/${path}`;

/** @param {string} agent @param {string} taskId */
export const taskPath = (agent, taskId) => gatewayPath(agent, `tasks/${encodeURIComponent(taskId)}`);

/** @param {string} agent */
export const agentPath = (agent) => `agents/${encodeURIComponent(agent)}`;

/**
 * Start a task or answer one. Return the task's id, or null if the agent answered with a
 * message only.
 * @param {string} agent @param {Prompt} prompt @returns {Promise<string | null>}
 */
export async function sendMessage(agent, prompt) {
  const answer = await request('POST', gatewayPath(agent, 'message:send'), buildSendRequest(prompt));
  return answer?.task?.id ?? null;
}

/** @param {string} agent @param {string} taskId */
export async function cancelTask(agent, taskId) {
  await request('POST', `${taskPath(agent, taskId)}:cancel`, {});
}

/** Make the host reconnect to an agent now. @param {string} agent */
export async function retryAgent(agent) {
  await request('POST', `${agentPath(agent)}:retry`, {});
}

/** @param {Record<string, unknown>} agent url, name, card */
export async function addAgent(agent) {
  await request('POST', 'agents', agent);
}

/** @param {string} agent */
export async function removeAgent(agent) {
  await request('DELETE', agentPath(agent));
}

/**
 * @param {'POST' | 'DELETE'} method @param {string} path @param {object} [body]
 * @returns {Promise<any>}
 */
async function request(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: HEADERS,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new CommandError(
      error instanceof DOMException && error.name === 'TimeoutError'
        ? `The host did not answer within ${TIMEOUT_MS / 1000} s.`
        : 'The host does not answer.',
    );
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401) {
    throw new CommandError('Your session has ended. Reload the page to sign in.');
  }
  throw new CommandError(answer?.error?.message || `The host answered ${response.status}.`);
}
