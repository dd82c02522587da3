// @ts-check
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';

import { sendAsCurl, taskCurls } from '../../../dashboard/static/client/curl.js';
import { task } from '../support/events.js';

test('a curl command quotes the text', () => {
  const curl = sendAsCurl('http://x/base/', 'carly', { text: "What's free?" });
  assert.match(curl, /^curl http:\/\/x\/base\/a2a\/carly\/message:send /);
  assert.match(curl, /What'\\''s free\?/);
});

test('curl commands of a task are quoted, complete, and without the password of the URL', () => {
  const row = task(1, {
    task_id: "a'b c",
    status: 'input-required',
    choices: ["Don't"],
  });
  const curls = taskCurls('http://me:secret@localhost:8000/base/?show=x', row);
  assert.deepEqual(Object.keys(curls), [
    'Task events',
    'Task JSON',
    'Follow',
    'Reply',
    'Stop',
  ]);
  const all = Object.values(curls).join('\n');
  assert.ok(!all.includes('secret') && !all.includes('me:'));
  for (const command of Object.values(curls)) {
    assert.match(command, /^curl (-N )?'http:\/\/localhost:8000\/base\/|^curl http:\/\/localhost:8000\/base\//);
  }
  const words = execFileSync('sh', ['-c', String(curls.Reply).replace('curl', "printf '%s\\n'")]).toString();
  assert.ok(words.includes('"text":"Don\'t"'));
  assert.ok(words.includes('"taskId":"a\'b c"'));
  assert.deepEqual(Object.keys(taskCurls('http://h/', task(1, { status: 'completed' }))), [
    'Task events',
    'Task JSON',
  ]);
});
