// @ts-check
// Write the page's commands as curl commands for a terminal. Pure.

import { isOpen, isWaiting } from '../state/status.js';
import { agentPath, buildMessage, gatewayPath, taskPath } from './commands.js';
/** @import { TaskEvent } from '../state/types.d.ts' */
/** @import { Prompt } from './commands.js' */

/** @param {string} base the page's URL @param {string} agent @param {Prompt} prompt */
export function sendAsCurl(base, agent, prompt) {
  const message = buildMessage(prompt, prompt.taskId ? 'm2' : 'm1');
  return toCurl(base, gatewayPath(agent, 'message:send'), { message });
}

/**
 * Return the commands for a task, by their labels.
 * @param {string} base the page's URL @param {TaskEvent} row
 */
export function taskCurls(base, row) {
  const { agent, task_id, context_id, choices } = row;
  const path = taskPath(agent, task_id);
  const query = new URLSearchParams({ agent, task: task_id });
  /** @type {Record<string, string>} */
  const curls = {
    'Task events': toCurl(base, `feed.ndjson?${query}`),
    'Task JSON': toCurl(base, path),
  };
  if (!isOpen(row)) return curls;
  curls.Follow = toCurl(base, `${path}:subscribe`, null, '-N ');
  if (isWaiting(row)) {
    const answer = { text: choices?.[0] ?? 'Yes', taskId: task_id, contextId: context_id };
    curls.Reply = sendAsCurl(base, agent, answer);
  }
  curls.Stop = toCurl(base, `${path}:cancel`, {});
  return curls;
}

/** @param {string} base the page's URL */
export const addAgentAsCurl = (base) =>
  toCurl(base, 'agents', { url: 'https://agents.example.org/travel' });

/** Return the commands for an agent, by their labels. @param {string} base the page's URL @param {string} agent */
export const agentCurls = (base, agent) => ({
  'Retry now': toCurl(base, `${agentPath(agent)}:retry`, {}),
  Remove: toCurl(base, agentPath(agent), null, '-X DELETE '),
});

/**
 * @param {string} base @param {string} path @param {object | null} [body] @param {string} [options]
 */
function toCurl(base, path, body = null, options = '') {
  const url = new URL(path, base);
  // The page's URL may hold a name and a password.
  Object.assign(url, { username: '', password: '' });
  const lines = [`curl ${options}${quote(url.href)}`];
  const headers = [];
  if (body) headers.push("-H 'content-type: application/json'");
  if (path.startsWith('a2a/')) headers.push("-H 'a2a-version: 1.0'");
  if (headers.length > 0) lines.push(headers.join(' '));
  if (body) lines.push(`-d ${singleQuote(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
}

/** @param {string} text */
const singleQuote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Quote for a shell, if necessary. @param {string} text */
const quote = (text) => (/^[\w:/.%~-]+$/.test(text) ? text : singleQuote(text));
