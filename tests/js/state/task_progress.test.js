// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { readTrackers } from '../../../dashboard/static/state/task_progress.js';

test('trackers are read from the update or its message, and invalid ones are ignored', () => {
  const progress = {
    trackers: [
      { id: 'left', progress: 1, total: 4, message: 'One of four', status: 'running' },
      { id: 'right', status: 'failed' },
      null,
    ],
  };
  const metadata = { 'https://a2a-protocol.org/extensions/task-progress/v1': progress };
  const both = [
    { id: 'left', percent: 25, text: 'One of four', status: 'running' },
    { id: 'right', percent: null, text: '', status: 'error' },
  ];
  assert.deepEqual(readTrackers({ statusUpdate: { metadata } }), both);
  assert.deepEqual(readTrackers({ task: { status: { message: { metadata } } } }), both);
  for (const raw of [null, {}, { statusUpdate: {} }, { artifactUpdate: {} }]) {
    assert.deepEqual(readTrackers(raw), []);
  }
});
