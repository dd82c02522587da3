// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import {
  countTotals,
  findFrontTask,
  findRelatedTasks,
  getEventRate,
  isQuiet,
  listAgents,
  listEventCounts,
  listRows,
  listTasksOf,
  listWaitingTasks,
} from '../../../dashboard/static/state/selectors.js';
import { applyEvent, applySnapshot, createState } from '../../../dashboard/static/state/store.js';
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
  return findFrontTask(carly, Date.parse(iso))?.row.task_id;
}

test('the newest open task is in front, not the one with the latest event', () => {
  const state = after(
    task(1, { task_id: 'old' }),
    task(2, { task_id: 'new' }),
    task(3, { task_id: 'old' }),
  );
  assert.equal(front(state, at(3)), 'new');
});

test('a result stays in front long enough to read', () => {
  const state = after(
    task(1, { task_id: 'old' }),
    task(2, { task_id: 'new', status: 'completed' }),
  );
  assert.equal(front(state, at(4)), 'new');
  assert.equal(front(state, at(40)), 'old');
});

test('without open tasks, the last to finish is in front', () => {
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
  assert.deepEqual(listTasksOf(carly).map(({ row }) => row.task_id), ['a', 'c', 'b']);
});

test('a task that waits for the user counts as waiting, not as running', () => {
  const state = after(
    task(1, { task_id: 'a' }),
    task(2, { task_id: 'b', status: 'input-required' }),
    task(3, { task_id: 'c', status: 'auth-required', agent: 'walter' }),
    task(4, { task_id: 'd', status: 'error' }),
    task(5, { task_id: 'e', status: 'completed' }),
    agent(6, { agent: 'walter', connection: 'lost' }),
  );
  assert.deepEqual(countTotals(state), {
    agents: 2,
    connected: 1,
    running: 1,
    waiting: 2,
    failed: 1,
  });
  assert.deepEqual(listWaitingTasks(state).map(({ row }) => row.task_id), ['b', 'c']);
});

test('a running task without updates for long is quiet', () => {
  const state = after(task(1));
  const [running] = listTasksOf(/** @type {any} */ (state.agents.get('carly')));
  assert.equal(isQuiet(running, Date.parse(at(20))), false);
  assert.equal(isQuiet(running, Date.parse(at(50))), true);
});

test('the rate covers the last five whole seconds, and falls to zero', () => {
  const state = after();
  for (let n = 1; n <= 50; n++) applyEvent(state, task(n), 1_000_000 + n * 100);
  assert.equal(getEventRate(state, 1_005_500), 9.8);
  assert.equal(getEventRate(state, 1_060_000), 0);
  assert.equal(listEventCounts(state, 1_005_500).at(-1), 10);
});

test('a second without events does not count those of a minute ago', () => {
  const state = after();
  applyEvent(state, task(1), 1_000_000);
  applyEvent(state, task(2), 1_061_000);
  assert.equal(listEventCounts(state, 1_062_000).reduce((a, b) => a + b), 1);
});

test('filters keep matching rows, and a hold keeps the rows up to an id', () => {
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
    listRows(rows, { ...all, ...filter }, until).map((row) => row.id);
  assert.deepEqual(ids({}), [1, 2, 3, 4, 5]);
  assert.deepEqual(ids({ agents: new Set(['walter']) }), [2]);
  assert.deepEqual(ids({ task: 'carly/t1' }), [1, 3]);
  assert.deepEqual(ids({ failed: true }), [3]);
  assert.deepEqual(ids({}, 3), [1, 2, 3]);
  assert.deepEqual(ids({ agents: new Set(['carly']) }, 3), [1, 3]);
  assert.deepEqual(ids({}, 0), []);
});

test('a removed agent does not count, nor do its tasks', () => {
  const state = after(
    task(1, { task_id: 'a' }),
    task(2, { task_id: 'b', status: 'input-required' }),
    task(3, { task_id: 'c', agent: 'walter' }),
    agent(4, { connection: 'removed' }),
  );
  assert.deepEqual(listAgents(state).map(({ name }) => name), ['walter']);
  assert.deepEqual(listWaitingTasks(state), []);
  const { agents, connected, running, waiting } = countTotals(state);
  assert.deepEqual([agents, connected, running, waiting], [1, 1, 1, 0]);
});

test('an agent that is added again has its tasks back', () => {
  const state = after(
    task(1),
    agent(2, { connection: 'removed' }),
    agent(3, { connection: 'connecting' }),
  );
  assert.equal(countTotals(state).running, 1);
  assert.equal(state.agents.get('carly')?.index, 0);
});

test('parents, children and siblings are found across all agents', () => {
  const state = createState();
  applySnapshot(state, snapshot());
  for (const row of [
    task(1, { agent: 'host', task_id: 'plan', context_id: 'c9' }),
    task(2, { agent: 'carly', task_id: 'a', context_id: 'c9', parent_task_id: 'plan' }),
    task(3, { agent: 'nancy', task_id: 'b', context_id: 'c9', parent_task_id: 'plan' }),
    task(4, { agent: 'nancy', task_id: 'c', context_id: 'c8' }),
    task(5, { agent: 'walter', task_id: 'd', context_id: null }),
  ]) {
    applyEvent(state, row, 0);
  }
  const ids = (/** @type {string} */ name, /** @type {string} */ id) => {
    const found = state.agents.get(name)?.tasks.get(id);
    assert.ok(found);
    const { parents, children, siblings } = findRelatedTasks(state, found.row);
    return [parents, children, siblings].map((tasks) => tasks.map(({ row }) => row.task_id));
  };
  assert.deepEqual(ids('host', 'plan'), [[], ['a', 'b'], []]);
  assert.deepEqual(ids('carly', 'a'), [['plan'], [], ['b']]);
  assert.deepEqual(ids('walter', 'd'), [[], [], []]);
});

test('a task that another one continues neither waits nor counts as open', () => {
  const state = after(
    task(1, { task_id: 'a', status: 'input-required' }),
    task(2, { task_id: 'a', status: 'input-required', continued_by: 'b' }),
    task(3, { task_id: 'b', continues: 'a' }),
  );
  const { waiting, running } = countTotals(state);
  assert.deepEqual([waiting, running], [0, 1]);
  assert.deepEqual(listWaitingTasks(state), []);
  assert.equal(front(state, at(60)), 'b');

  applyEvent(state, task(4, { task_id: 'a', status: 'input-required', message: 'Again?' }), 0);
  assert.deepEqual(listWaitingTasks(state).map(({ row }) => row.task_id), ['a']);
});

test('a task and the one that continues it are related both ways', () => {
  const state = after(
    task(1, { task_id: 'a', status: 'input-required', continued_by: 'b' }),
    task(2, { task_id: 'b', continues: 'a' }),
    task(3, { agent: 'walter', task_id: 'a', context_id: null }),
  );
  const tasks = state.agents.get('carly')?.tasks;
  /** @param {string} id @param {'before' | 'after' | 'siblings'} group */
  const ids = (id, group) => {
    const row = tasks?.get(id)?.row;
    assert.ok(row);
    return findRelatedTasks(state, row)[group].map((found) => found.row.task_id);
  };
  assert.deepEqual([ids('a', 'after'), ids('a', 'siblings')], [['b'], []]);
  assert.deepEqual([ids('b', 'before'), ids('b', 'after')], [['a'], []]);
});
