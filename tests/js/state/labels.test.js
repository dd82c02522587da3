// @ts-check
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';

import { curlsOf, messageRequest, startAsCurl } from '../../../dashboard/static/client/commands.js';
import { createAnnouncer } from '../../../dashboard/static/state/announcements.js';
import {
  ago,
  percent,
  perSecond,
  plural,
  rowTime,
  seconds,
  stopwatch,
  took,
} from '../../../dashboard/static/state/format.js';
import {
  applyEvent,
  applySnapshot,
  createState,
} from '../../../dashboard/static/state/store.js';
import { agentLabel, agentTone, eventText, followedHow } from '../../../dashboard/static/state/labels.js';
import { agent, at, gap, snapshot, task } from '../support/events.js';

test('the time of a row is twelve characters wide, today, once, or broken', () => {
  const now = new Date(2026, 8, 22, 12, 4, 31, 207);
  const iso = now.toISOString();
  assert.equal(rowTime(iso, now.getTime()), '12:04:31.207');
  assert.equal(rowTime(iso, now.getTime() + 3 * 86_400_000), '22 Sep 12:04');
  assert.equal(rowTime('not a time', 0).length, 12);
});

test('durations read as people say them', () => {
  assert.deepEqual([0, 7_900, 765_000, 3_723_000].map(stopwatch), [
    '0:00',
    '0:07',
    '12:45',
    '1:02:03',
  ]);
  assert.deepEqual([200, 12_000, 200_000, 7_300_000, 2e8].map(ago), [
    'now',
    '12 s ago',
    '3 min ago',
    '2 h ago',
    '2 d ago',
  ]);
  assert.deepEqual([0.4, 2, 180].map(seconds), ['0.4 s', '2 s', '3 min']);
  assert.deepEqual(
    [40, 999.7, 8_240, 59_960, 185_000, 7_800_000, 792_000_000].map(took),
    ['40 ms', '1.0 s', '8.2 s', '1 min 0 s', '3 min 5 s', '2 h 10 min', '9 d 4 h'],
  );
  assert.deepEqual([0, 0.4, 42.3].map(perSecond), ['0', '0.4', '42']);
});

test('progress that is not known is not shown as a number', () => {
  assert.equal(percent(null), '');
  assert.equal(percent(0), '0%');
  assert.equal(percent(99.9), '99%');
});

test('each event says what it is about in one line', () => {
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

test('a reply carries the ids of its task, a start the id of its skill', () => {
  const reply = messageRequest({ text: 'Yes', taskId: 't1', contextId: 'c1' });
  assert.equal(reply.message.taskId, 't1');
  assert.equal(reply.message.contextId, 'c1');
  assert.equal('metadata' in reply.message, false);
  const start = messageRequest({ text: 'Go', skillId: 'calendar_check' });
  assert.deepEqual(start.message.metadata, { skillId: 'calendar_check' });
  assert.equal('taskId' in start.message, false);
  assert.notEqual(start.message.messageId, reply.message.messageId);
});

test('the command for a terminal survives a quote in the text', () => {
  const curl = startAsCurl('http://x/base/', 'carly', { text: "What's free?" });
  assert.match(curl, /^curl http:\/\/x\/base\/a2a\/carly\/message:send /);
  assert.match(curl, /What'\\''s free\?/);
});

test('counts are announced at most every five seconds, what needs you at once', () => {
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

test('a failure is announced where the task was started here', () => {
  const state = createState();
  const announce = createAnnouncer();
  const mine = new Set(['carly/t1']);
  applyEvent(state, task(1), 0);
  applyEvent(state, task(2, { task_id: 't2', status: 'error', message: 'Not mine.' }), 0);
  assert.equal(announce(state, 0, mine).assertive, '');
  applyEvent(state, task(3, { status: 'error', message: 'No such street.' }), 0);
  assert.equal(announce(state, 0, mine).assertive, 'Carly failed: No such street.');
  assert.equal(mine.size, 0);
});

test('a lost connection is announced once, and its return', () => {
  const state = createState();
  const announce = createAnnouncer();
  state.link.phase = 'live';
  assert.equal(announce(state, 0).assertive, '');
  state.link.phase = 'reconnecting';
  assert.equal(announce(state, 0).assertive, 'Connection lost.');
  state.link.phase = 'live';
  assert.equal(announce(state, 0).assertive, 'Connected again.');
});

test('counts are grouped, and one is not many', () => {
  assert.deepEqual(
    [0, 1, 999, 17_500, 1_000_000].map((n) => plural(n, 'update')),
    ['0 updates', '1 update', '999 updates', '17,500 updates', '1,000,000 updates'],
  );
});

test('how an agent is followed is said as far as it is known', () => {
  assert.deepEqual(followedHow(agent(1)), ['JSON-RPC 1.0', 'streaming']);
  const polled = agent(1, { binding: 'GRPC', protocol: '0.3', followed: 'polling every 1 s' });
  assert.deepEqual(followedHow(polled), ['gRPC 0.3', 'polling every 1 s']);
  const lost = agent(1, { binding: null, protocol: null, followed: null });
  assert.deepEqual(followedHow(lost), []);
  const { binding: _, protocol: __, ...older } = agent(1);
  assert.deepEqual(followedHow(older), ['streaming']);
});

test('an agent in trouble is connected, with a warning and its reason', () => {
  const row = agent(1, { trouble: 'floods: 17,500 updates were left out' });
  assert.deepEqual(agentLabel(row), { word: 'connected', icon: 'warning' });
  assert.equal(agentTone(row), 'trouble');
  assert.equal(eventText(row), 'floods: 17,500 updates were left out');
  assert.equal(agentTone(agent(1)), 'connected');
  assert.equal(agentTone(null), 'connecting');
});

test('a gap says how many updates are missing, where that is known', () => {
  assert.equal(eventText(gap(1, { message: 'cut' })), 'cut');
  assert.equal(eventText(gap(1, { message: 'cut', missing: 1 })), 'cut · at most 1 update');
});

test('commands for a task are quoted, complete, and without what the address keeps secret', () => {
  const row = task(1, {
    task_id: "a'b c",
    status: 'input-required',
    choices: ["Don't"],
  });
  const curls = curlsOf('http://me:secret@localhost:8000/base/?show=x', row);
  assert.deepEqual(Object.keys(curls), [
    'Its events',
    'As the agent has it',
    'Follow',
    'Answer',
    'Stop',
  ]);
  const all = Object.values(curls).join('\n');
  assert.ok(!all.includes('secret') && !all.includes('me:'));
  for (const command of Object.values(curls)) {
    assert.match(command, /^curl (-N )?'http:\/\/localhost:8000\/base\/|^curl http:\/\/localhost:8000\/base\//);
  }
  const words = execFileSync('sh', ['-c', String(curls.Answer).replace('curl', "printf '%s\\n'")]).toString();
  assert.ok(words.includes('"text":"Don\'t"'));
  assert.ok(words.includes('"taskId":"a\'b c"'));
  assert.deepEqual(Object.keys(curlsOf('http://h/', task(1, { status: 'completed' }))), [
    'Its events',
    'As the agent has it',
  ]);
});
