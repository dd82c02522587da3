// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { buildSendRequest } from '../../../dashboard/static/client/commands.js';

test('a reply has the ids of its task, a start has the id of its skill', () => {
  const reply = buildSendRequest({ text: 'Yes', taskId: 't1', contextId: 'c1' });
  assert.equal(reply.message.taskId, 't1');
  assert.equal(reply.message.contextId, 'c1');
  assert.equal('metadata' in reply.message, false);
  const start = buildSendRequest({ text: 'Go', skillId: 'calendar_check' });
  assert.deepEqual(start.message.metadata, { skillId: 'calendar_check' });
  assert.equal('taskId' in start.message, false);
  assert.notEqual(start.message.messageId, reply.message.messageId);
});
