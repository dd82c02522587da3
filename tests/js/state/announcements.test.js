// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { createAnnouncer } from '../../../dashboard/static/state/announcements.js';
import { applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
import { agent, snapshot, task } from '../support/events.js';

test('counts are announced at most every five seconds, questions at once', () => {
  const state = createState();
  const announce = createAnnouncer();
  applySnapshot(state, snapshot({ agents: [agent(0)] }));
  const first = announce(state, 0);
  assert.match(first.polite, /1 of 1 agent connected, 0 running/);
  applyEvent(state, task(1, { status: 'input-required', message: 'Send?' }), 0);
  const second = announce(state, 1_000);
  assert.equal(second.polite, first.polite);
  assert.equal(second.assertive, 'Carly needs you: Send?');
  assert.match(announce(state, 5_000).polite, /1 waiting/);
});

test('the failure of a task of this user is announced', () => {
  const state = createState();
  const announce = createAnnouncer();
  const started_here = new Set(['carly/t1']);
  applyEvent(state, task(1), 0);
  applyEvent(state, task(2, { task_id: 't2', status: 'error', message: 'Not started_here.' }), 0);
  assert.equal(announce(state, 0, started_here).assertive, '');
  applyEvent(state, task(3, { status: 'error', message: 'No such street.' }), 0);
  assert.equal(announce(state, 0, started_here).assertive, 'Carly failed: No such street.');
  assert.equal(started_here.size, 0);
});

test('a lost connection is announced once, and so is its return', () => {
  const state = createState();
  const announce = createAnnouncer();
  state.link.phase = 'live';
  assert.equal(announce(state, 0).assertive, '');
  state.link.phase = 'reconnecting';
  assert.equal(announce(state, 0).assertive, 'Connection lost.');
  state.link.phase = 'live';
  assert.equal(announce(state, 0).assertive, 'Connected again.');
});
