// @ts-check
// Owns what this one reader is doing: filters (also kept in the URL), how far back they
// read, what they clicked and still wait for. controls.js changes it, the views show it.

import { followedAgents, taskKey, urgency } from './selectors.js';
import { isOpen, isWaiting } from './store.js';

/**
 * @typedef {import('./types.d.ts').State} State
 * @typedef {import('./types.d.ts').Task} Task
 *
 * @typedef {object} Pending a click that the feed has not answered yet
 * @property {'start' | 'stop' | 'reply' | 'retry' | 'add' | 'remove'} verb
 * @property {string} agent
 * @property {string | null} task_id null until the host has named it
 * @property {unknown} row the row that was there at the click; another one answers it
 * @property {number} at_ms
 *
 * @typedef {'feed' | 'tasks' | 'timeline' | 'history'} Tab
 *
 * @typedef {object} Ui
 * @property {{ agents: Set<string>, task: string | null, failed: boolean, pending: boolean,
 *   tab: Tab, q: string, status: string, since: string, until: string, open: boolean,
 *   show: string[] }} filter `pending` leaves only the tasks that are not completed, `q` to
 *   `until` search the log; `show` are the tasks in the drawer, as `agent/task_id`
 * @property {number | null} hold the newest id shown, while reading further back
 * @property {boolean} paused held by the button, not by scrolling
 * @property {{ top: number, height: number, row: number, head: number }} list the feed's
 *   window in px, and the newest id it shows while it follows
 * @property {{ head: number }} cards the newest id that they show
 * @property {{ top: number, height: number, row: number }} table the same of the tasks
 * @property {'idle' | 'loading' | 'failed'} history
 * @property {Map<string, string>} pinned the task chosen for an agent's card
 * @property {Set<string>} opened popovers that are open, by element id
 * @property {Map<string, Pending>} pending
 * @property {Map<string, string>} errors by the same keys as `pending`
 * @property {ReadonlySet<string>} toggled what is unfolded or shown in its other way
 * @property {Set<string>} mine tasks that were started here and are not over, as
 *   `agent/task_id`
 * @property {string[]} order the names of many agents, as they were sorted last
 * @property {{ key: string, others: number } | null} asking the stop that waits for a yes
 * @property {string | null} removing the agent whose removal asks to be confirmed
 * @property {string} copied what was copied last, to say so
 */

/** How long a click may wait for its event before the page says so. */
const ANSWER_MS = 10_000;

/** @param {string} search the URL's query @returns {Ui} */
export function createUi(search) {
  return {
    filter: readFilter(search),
    hold: null,
    paused: false,
    list: { top: 0, height: 0, row: 32, head: 0 },
    cards: { head: 0 },
    table: { top: 0, height: 0, row: 32 },
    history: 'idle',
    pinned: new Map(),
    opened: new Set(),
    pending: new Map(),
    errors: new Map(),
    toggled: new Set(),
    mine: new Set(),
    order: [],
    asking: null,
    removing: null,
    copied: '',
  };
}

/** Side by side; more would be no wider than a word. */
export const MAX_SHOWN = 8;

/** @type {Tab[]} */
export const TABS = ['feed', 'tasks', 'timeline', 'history'];

/** @param {string} search @returns {Ui['filter']} */
export function readFilter(search) {
  const query = new URLSearchParams(search);
  return {
    agents: new Set(query.getAll('agent')),
    task: query.get('task'),
    failed: query.has('failed'),
    pending: query.has('pending'),
    tab: TABS.find((tab) => tab === query.get('tab')) ?? 'feed',
    q: query.get('q') ?? '',
    status: query.get('status') ?? '',
    since: query.get('since') ?? '',
    until: query.get('until') ?? '',
    open: query.has('open'),
    show: query.getAll('show').slice(0, MAX_SHOWN),
  };
}

/** The query for that filter: `?agent=carly`, or nothing. @param {Ui['filter']} filter */
export function writeFilter({ agents, task, failed, pending, tab, open, show, ...search }) {
  const query = new URLSearchParams();
  if (tab !== 'feed') query.set('tab', tab);
  for (const agent of agents) query.append('agent', agent);
  if (task) query.set('task', task);
  if (failed) query.set('failed', '');
  if (pending) query.set('pending', '');
  for (const [name, value] of Object.entries(search)) if (value) query.set(name, value);
  if (open) query.set('open', '');
  for (const key of show) query.append('show', key);
  const text = query.toString().replace(/\b(failed|pending|open)=(?=&|$)/g, '$1');
  return text ? `?${text}` : '';
}

/** @param {Ui} ui @param {Pending['verb']} verb @param {string} about an agent, or agent/task */
export const isPending = (ui, verb, about) => ui.pending.has(`${verb}:${about}`);

/**
 * Ends what the feed has answered; says so where an answer is overdue. Whether any was.
 * @param {Ui} ui @param {State} state @param {number} now_ms
 */
export function settle(ui, state, now_ms) {
  const before = ui.pending.size;
  for (const [key, click] of ui.pending) {
    if (isAnswered(click, state)) {
      ui.pending.delete(key);
    } else if (now_ms - click.at_ms > ANSWER_MS) {
      ui.pending.delete(key);
      ui.errors.set(key, OVERDUE[click.verb]);
    }
  }
  return ui.pending.size < before;
}

/** As many are shown as cards; more as rows. */
export const MAX_CARDS = 8;

/**
 * The agents in the order of the roster; more than there are cards for by urgency, but
 * not while somebody points at one of them.
 * @param {Ui} ui @param {State} state @param {number} now_ms host clock
 * @param {() => boolean} isHeld
 */
export function arrange(ui, state, now_ms, isHeld) {
  const agents = followedAgents(state);
  if (agents.length <= MAX_CARDS) return agents;
  if (ui.order.length === 0 || !isHeld()) {
    const ranked = agents.map((agent) => ({ agent, rank: urgency(agent, now_ms) }));
    ui.order = ranked.sort((a, b) => a.rank - b.rank).map(({ agent }) => agent.name);
  }
  const place = new Map(ui.order.map((name, at) => [name, at]));
  const last = agents.length;
  return agents.sort((a, b) => (place.get(a.name) ?? last) - (place.get(b.name) ?? last));
}

const OVERDUE = {
  start: 'Sent, but the task has not shown up yet.',
  stop: 'Asked to stop, but the agent has not confirmed it yet.',
  reply: 'Sent, but the agent has not gone on yet.',
  retry: 'Asked to reconnect, but nothing has changed yet.',
  add: 'The host has not answered yet.',
  remove: 'Asked to remove it, but it is still there.',
};

/** @param {Pending} click @param {State} state */
function isAnswered(click, state) {
  const agent = state.agents.get(click.agent);
  if (click.verb === 'retry') return agent?.row !== click.row;
  if (click.verb === 'remove') return agent?.row?.connection === 'removed';
  if (click.task_id === null) return false;
  const task = agent?.tasks.get(click.task_id);
  if (click.verb === 'start') return task !== undefined;
  if (click.verb === 'stop') return !task || !isOpen(task.row);
  return !task || !isWaiting(task.row) || task.row !== click.row;
}

/** @param {Task} task */
export const keyOf = (task) => taskKey(task.row.agent, task.row.task_id);
