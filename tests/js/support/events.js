// @ts-check
// Build events for the tests.

/** @import { AgentEvent, ArtifactEvent, GapEvent, NoticeEvent, Snapshot, TaskEvent } from '../../../dashboard/static/state/types.d.ts' */

/** Return the host's time after `s` seconds. @param {number} s */
export const at = (s) => new Date(Date.UTC(2026, 10, 22, 12, 0, s)).toISOString();

/** @param {number} id @param {Partial<TaskEvent>} [more] @returns {TaskEvent} */
export const task = (id, more = {}) => ({
  id,
  kind: 'task',
  agent: 'carly',
  task_id: 't1',
  context_id: 'c1',
  status: 'running',
  state: 'TASK_STATE_WORKING',
  progress: null,
  message: null,
  message_id: null,
  at: at(id),
  received_at: at(id),
  ...more,
});

/** @param {number} id @param {Partial<AgentEvent>} [more] @returns {AgentEvent} */
export const agent = (id, more = {}) => ({
  id,
  kind: 'agent',
  agent: 'carly',
  url: 'http://127.0.0.1:8001',
  connection: 'connected',
  cause: null,
  attempt: 0,
  retry_s: null,
  title: 'Carly',
  description: 'Keeps the calendar.',
  version: '1.0',
  binding: 'JSONRPC',
  protocol: '1.0',
  interface_url: 'http://127.0.0.1:8001/a2a',
  followed: 'streaming',
  discovery: 'every task',
  trouble: null,
  skills: [],
  received_at: at(id),
  ...more,
});

/** @param {number} id @param {Partial<GapEvent>} [more] @returns {GapEvent} */
export const gap = (id, more = {}) => ({
  id,
  kind: 'gap',
  agent: 'carly',
  task_id: 't1',
  context_id: 'c1',
  message: 'updates in between may be missing',
  received_at: at(id),
  ...more,
});

/** @param {number} id @param {Partial<NoticeEvent>} [more] @returns {NoticeEvent} */
export const notice = (id, more = {}) => ({
  id,
  kind: 'notice',
  agent: 'carly',
  task_id: 't1',
  context_id: 'c1',
  notice: 'stalled',
  message: 'no update for 5 min',
  received_at: at(id),
  ...more,
});

/** @param {number} id @param {Partial<ArtifactEvent>} [more] @returns {ArtifactEvent} */
export const chunk = (id, more = {}) => ({
  id,
  kind: 'artifact',
  agent: 'carly',
  task_id: 't1',
  context_id: 'c1',
  artifact_id: 'a1',
  name: null,
  parts: [{ text: 'Once ' }],
  append: false,
  last_chunk: false,
  received_at: at(id),
  ...more,
});

/** @param {Partial<Snapshot>} [more] @returns {Snapshot} */
export const snapshot = (more = {}) => ({
  id: 0,
  now: at(0),
  epoch: 'k3f9',
  reset: false,
  reason: null,
  agents: [],
  tasks: [],
  ...more,
});
