// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  eventRate,
  followedAgents,
  frontTask,
  isQuiet,
  lastMinute,
  matchingRows,
  tasksOf,
  totals,
  waitingTasks,
} from '../../../dashboard/static/state/selectors.js';
import {
  applyEvent,
  applySnapshot,
  createState,
} from '../../../dashboard/static/state/store.js';
import { agent, at, snapshot, task } from '../support/events.js';

/** @param {import('../../../dashboard/static/state/types.d.ts').FeedEvent[]} events */
function after(...events) {
  const state = createState();
  applySnapshot(
    state,
    snapshot({ agents: [agent(0), agent(0, { agent: 'walter', title: 'Walter' })] }),
  );
  for (const event of events) applyEvent(state, event, 0);
  return state;
}

/** @param {string} iso @param {import('../../../dashboard/static/state/types.d.ts').State} state */
function front(state, iso) {
  const carly = state.agents.get('carly');
  assert.ok(carly);
  return frontTask(carly, Date.parse(iso))?.row.task_id;
}

test('the newest open task is in front, whichever spoke last', () => {
  const state = after(
    task(1, { task_id: 'old' }),
    task(2, { task_id: 'new' }),
    task(3, { task_id: 'old' }),
  );
  assert.equal(front(state, at(3)), 'new');
});

test('a result stays in front long enough to be read', () => {
  const state = after(
    task(1, { task_id: 'old' }),
    task(2, { task_id: 'new', status: 'completed' }),
  );
  assert.equal(front(state, at(4)), 'new');
  assert.equal(front(state, at(40)), 'old');
});

test('with nothing open the last to finish is in front', () => {
  const state = after(
    task(1, { task_id: 'a' }),
    task(2, { task_id: 'b', status: 'completed' }),
    task(3, { task_id: 'a', status: 'error' }),
  );
  assert.equal(front(state, at(59)), 'a');
});

test('open tasks are listed first, then the newest', () => {
  const state = after(
    task(1, { task_id: 'a' }),
    task(2, { task_id: 'b', status: 'completed' }),
    task(3, { task_id: 'c', status: 'completed' }),
  );
  const carly = state.agents.get('carly');
  assert.ok(carly);
  assert.deepEqual(tasksOf(carly).map(({ row }) => row.task_id), ['a', 'c', 'b']);
});

test('whoever waits for a person is counted as waiting and not as running', () => {
  const state = after(
    task(1, { task_id: 'a' }),
    task(2, { task_id: 'b', status: 'input-required' }),
    task(3, { task_id: 'c', status: 'auth-required', agent: 'walter' }),
    task(4, { task_id: 'd', status: 'error' }),
    task(5, { task_id: 'e', status: 'completed' }),
    agent(6, { agent: 'walter', connection: 'lost' }),
  );
  assert.deepEqual(totals(state), {
    agents: 2,
    connected: 1,
    running: 1,
    waiting: 2,
    failed: 1,
  });
  assert.deepEqual(waitingTasks(state).map(({ row }) => row.task_id), ['b', 'c']);
});

test('a running task that says nothing for long is quiet', () => {
  const state = after(task(1));
  const [running] = tasksOf(/** @type {any} */ (state.agents.get('carly')));
  assert.equal(isQuiet(running, Date.parse(at(20))), false);
  assert.equal(isQuiet(running, Date.parse(at(50))), true);
});

test('the rate counts the last five whole seconds, and falls to nothing', () => {
  const state = after();
  for (let n = 1; n <= 50; n++) applyEvent(state, task(n), 1_000_000 + n * 100);
  assert.equal(eventRate(state, 1_005_500), 9.8);
  assert.equal(eventRate(state, 1_060_000), 0);
  assert.equal(lastMinute(state, 1_005_500).at(-1), 10);
});

test('a second that nobody spoke in counts nothing from a minute ago', () => {
  const state = after();
  applyEvent(state, task(1), 1_000_000);
  applyEvent(state, task(2), 1_061_000);
  assert.equal(lastMinute(state, 1_062_000).reduce((a, b) => a + b), 1);
});

test('filters leave what matches, and a hold leaves what was there', () => {
  const { rows } = after(
    task(1),
    task(2, { agent: 'walter' }),
    task(3, { status: 'error' }),
    task(4, { task_id: 't2' }),
    agent(5),
  );
  const all = { agents: new Set(), task: null, failed: false };
  /** @param {Partial<import('../../../dashboard/static/state/selectors.js').Filter>} filter @param {number | null} [until] */
  const ids = (filter, until = null) =>
    matchingRows(rows, { ...all, ...filter }, until).map((row) => row.id);
  assert.deepEqual(ids({}), [1, 2, 3, 4, 5]);
  assert.deepEqual(ids({ agents: new Set(['walter']) }), [2]);
  assert.deepEqual(ids({ task: 'carly/t1' }), [1, 3]);
  assert.deepEqual(ids({ failed: true }), [3]);
  assert.deepEqual(ids({}, 3), [1, 2, 3]);
  assert.deepEqual(ids({ agents: new Set(['carly']) }, 3), [1, 3]);
  assert.deepEqual(ids({}, 0), []);
});

test('an agent that was removed counts no more, nor do its tasks', () => {
  const state = after(
    task(1, { task_id: 'a' }),
    task(2, { task_id: 'b', status: 'input-required' }),
    task(3, { task_id: 'c', agent: 'walter' }),
    agent(4, { connection: 'removed' }),
  );
  assert.deepEqual(followedAgents(state).map(({ name }) => name), ['walter']);
  assert.deepEqual(waitingTasks(state), []);
  const { agents, connected, running, waiting } = totals(state);
  assert.deepEqual([agents, connected, running, waiting], [1, 1, 1, 0]);
});

test('an agent that was removed and added again has its tasks back', () => {
  const state = after(
    task(1),
    agent(2, { connection: 'removed' }),
    agent(3, { connection: 'connecting' }),
  );
  assert.equal(totals(state).running, 1);
  assert.equal(state.agents.get('carly')?.index, 0);
});
