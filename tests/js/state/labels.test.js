// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  agentLabel,
  agentTone,
  describeFollowing,
  eventText,
  rowText,
  taskText,
} from '../../../dashboard/static/state/labels.js';
import { agent, at, gap, task } from '../support/events.js';

test('each event has a text', () => {
  assert.equal(
    eventText(task(1, { status: 'completed', message: 'Done', result: '3 slots' })),
    '3 slots',
  );
  assert.equal(
    eventText(
      agent(1, { connection: 'lost', cause: 'refused', attempt: 3, retry_s: 8 }),
    ),
    'refused · attempt 3, next in 8 s',
  );
  const artifact = /** @type {const} */ ({
    id: 1,
    kind: 'artifact',
    agent: 'carly',
    task_id: 't1',
    context_id: null,
    artifact_id: 'a1',
    append: false,
    last_chunk: true,
    received_at: at(0),
  });
  const parts = [{ text: 'slots' }, { data: { n: 3 } }, { filename: 'a.pdf' }];
  assert.equal(
    eventText({ ...artifact, name: null, parts }),
    'a1: slots {"n":3} a.pdf',
  );
});

test('a text that the host has cut ends with an ellipsis', () => {
  const row = task(1, { message: 'Which of', result: 'A long', shortened: { result: 3_900_000 } });
  assert.equal(taskText(row), 'A long…');
  assert.equal(eventText(row), 'A long…');
  assert.equal(rowText(row, 'message'), 'Which of');
  assert.equal(taskText(task(1, { message: 'Which of', shortened: { message: 600 } })), 'Which of…');
  assert.equal(taskText(task(1)), '');
});

test('the description of the protocol has only what is known', () => {
  assert.deepEqual(describeFollowing(agent(1)), ['JSON-RPC 1.0', 'streaming']);
  const polled = agent(1, { binding: 'GRPC', protocol: '0.3', followed: 'polling every 1 s' });
  assert.deepEqual(describeFollowing(polled), ['gRPC 0.3', 'polling every 1 s']);
  const lost = agent(1, { binding: null, protocol: null, followed: null });
  assert.deepEqual(describeFollowing(lost), []);
  const { binding: _, protocol: __, ...older } = agent(1);
  assert.deepEqual(describeFollowing(older), ['streaming']);
});

test('a connected agent with a problem has a warning and its cause', () => {
  const row = agent(1, { trouble: 'floods: 17,500 updates were left out' });
  assert.deepEqual(agentLabel(row), { word: 'connected', icon: 'warning' });
  assert.equal(agentTone(row), 'trouble');
  assert.equal(eventText(row), 'floods: 17,500 updates were left out');
  assert.equal(agentTone(agent(1)), 'connected');
  assert.equal(agentTone(null), 'connecting');
});

test('a gap has the number of missing updates, if it is known', () => {
  assert.equal(eventText(gap(1, { message: 'cut' })), 'cut');
  assert.equal(eventText(gap(1, { message: 'cut', missing: 1 })), 'cut · at most 1 update');
});
