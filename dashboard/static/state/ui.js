// @ts-check
// The state of this user's view: filters (also in the URL), scroll positions, and clicks
// that wait for their event. input/controls.js changes it. Pure.

import { listAgents, rankUrgency } from './selectors.js';
import { isOpen, isWaiting } from './status.js';
/** @import { State } from './types.d.ts' */

/**
 * @typedef {object} Pending a click whose event has not arrived yet
 * @property {'start' | 'stop' | 'reply' | 'retry' | 'add' | 'remove'} verb
 * @property {string} agent
 * @property {string | null} task_id null until the host returns it
 * @property {unknown} row the row at the time of the click; a different row answers it
 * @property {number} at_ms
 *
 * @typedef {ReturnType<typeof readFilter>} Filter
 *
 * @typedef {{ top: number, height: number, row_height: number }} Scroll of a list, in px
 *
 * @typedef {object} Ui
 * @property {Filter} filter
 * @property {number | null} hold the newest id shown, while the user reads older rows
 * @property {boolean} paused true if the button holds the feed, not scrolling
 * @property {Scroll & { head: number }} list the feed; `head` is the newest id it shows
 * @property {{ head: number }} cards `head` is the newest id they show
 * @property {Scroll} table the table of tasks
 * @property {'idle' | 'loading' | 'failed'} older_events how loading them stands
 * @property {Map<string, string>} pinned the task id that the user chose for a card
 * @property {Set<string>} open_menus by element id
 * @property {Map<string, Pending>} pending
 * @property {Map<string, string>} errors by the keys of `pending`
 * @property {ReadonlySet<string>} toggled what the user unfolded or switched
 * @property {Set<string>} started_here open tasks of this user, as `agent/task_id`
 * @property {string[]} agent_order the last order of many agents, by name
 * @property {{ key: string, others: number } | null} confirming_stop
 * @property {string | null} confirming_removal an agent
 * @property {string} last_copied
 */

/** How long a click may wait for its event. */
const TIMEOUT_MS = 10_000;
/** Up to this many agents are cards, more are rows. */
export const MAX_CARDS = 8;
/** The end of a list is near when this many rows are left below the window. */
const MARGIN_ROWS = 20;
/** More drawers would each be no wider than a word. */
export const MAX_DRAWERS = 8;

/** @param {string} search the URL's query @returns {Ui} */
export function createUi(search) {
  return {
    filter: readFilter(search),
    hold: null,
    paused: false,
    list: { top: 0, height: 0, row_height: 32, head: 0 },
    cards: { head: 0 },
    table: { top: 0, height: 0, row_height: 32 },
    older_events: 'idle',
    pinned: new Map(),
    open_menus: new Set(),
    pending: new Map(),
    errors: new Map(),
    toggled: new Set(),
    started_here: new Set(),
    agent_order: [],
    confirming_stop: null,
    confirming_removal: null,
    last_copied: '',
  };
}

/** Return whether the end of a list of `count` rows is near: older ones are loaded then. @param {Scroll} scroll @param {number} count */
export const isNearEnd = ({ top, height, row_height }, count) =>
  top + height > (count - MARGIN_ROWS) * row_height;

/** @type {('feed' | 'tasks' | 'timeline' | 'history')[]} */
export const TABS = ['feed', 'tasks', 'timeline', 'history'];

/** Read the filter from the URL, with the same names. @param {string} search */
export function readFilter(search) {
  const query = new URLSearchParams(search);
  const text = (/** @type {string} */ name) => query.get(name) ?? '';
  return {
    agents: new Set(query.getAll('agent')),
    task: query.get('task'),
    failed: query.has('failed'),
    /** Hides completed tasks. */
    pending: query.has('pending'),
    tab: TABS.find((tab) => tab === query.get('tab')) ?? 'feed',
    /** Searches the log, as do `status`, `since` and `until`. */
    q: text('q'),
    status: text('status'),
    since: text('since'),
    until: text('until'),
    /** Shows a recording instead of a host. */
    open: query.has('open'),
    /** The tasks in drawers, as `agent/task_id`. */
    show: query.getAll('show').slice(0, MAX_DRAWERS),
  };
}

/** Return the query of a filter: `?agent=carly`, or nothing. @param {Filter} filter */
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

/** @param {Ui} ui @param {Pending['verb']} verb @param {string} subject an agent, or agent/task */
export const isPending = (ui, verb, subject) => ui.pending.has(`${verb}:${subject}`);

const TIMEOUT_TEXT = {
  start: 'Sent, but the task has not appeared yet.',
  stop: 'Asked to stop, but the agent has not confirmed it yet.',
  reply: 'Sent, but the agent has not continued yet.',
  retry: 'Asked to reconnect, but nothing has changed yet.',
  add: 'The host has not answered yet.',
  remove: 'Asked to remove the agent, but it is still there.',
};

/**
 * Remove clicks whose event arrived, and put an error for those that waited too long.
 * Return whether any was removed.
 * @param {Ui} ui @param {State} state @param {number} now_ms
 */
export function settlePending(ui, state, now_ms) {
  const before = ui.pending.size;
  for (const [key, click] of ui.pending) {
    if (isAnswered(click, state)) {
      ui.pending.delete(key);
    } else if (now_ms - click.at_ms > TIMEOUT_MS) {
      ui.pending.delete(key);
      ui.errors.set(key, TIMEOUT_TEXT[click.verb]);
    }
  }
  return ui.pending.size < before;
}

/** @param {Pending} click @param {State} state */
function isAnswered({ verb, agent: name, task_id, row }, state) {
  const agent = state.agents.get(name);
  if (verb === 'retry') return agent?.row !== row;
  if (verb === 'remove') return agent?.row?.connection === 'removed';
  if (task_id === null) return false;
  const task = agent?.tasks.get(task_id);
  if (verb === 'start') return task !== undefined;
  if (verb === 'stop') return !task || !isOpen(task.row);
  return !task || !isWaiting(task.row) || task.row !== row;
}

/**
 * List the agents in roster order. More than MAX_CARDS agents are sorted by urgency, but
 * not while the user points at one.
 * @param {Ui} ui @param {State} state @param {number} now_ms host clock
 * @param {() => boolean} isHeld
 */
export function sortAgents(ui, state, now_ms, isHeld) {
  const agents = listAgents(state);
  if (agents.length <= MAX_CARDS) return agents;
  if (ui.agent_order.length === 0 || !isHeld()) {
    const ranked = agents.map((agent) => ({ name: agent.name, rank: rankUrgency(agent, now_ms) }));
    ui.agent_order = ranked.sort((a, b) => a.rank - b.rank).map(({ name }) => name);
  }
  const place = new Map(ui.agent_order.map((name, at) => [name, at]));
  const last = agents.length;
  return agents.sort((a, b) => (place.get(a.name) ?? last) - (place.get(b.name) ?? last));
}
