// @ts-check
// Load and keep what the drawers show of their tasks: events, artifacts, the conversation,
// and on request raw updates and the agent's card.

import { addChunk } from '../state/artifacts.js';
import { lintEvent, lintRaw, newLintState } from '../state/lint.js';
import { splitKey, taskKey } from '../state/selectors.js';
import { isRepeat, isWaiting } from '../state/status.js';
import { gatewayPath, taskPath } from './commands.js';
import { fetchEvents } from './feed.js';
/** @import { FeedEvent, State, TaskEvent } from '../state/types.d.ts' */

/**
 * @typedef {object} Resource a response of the host
 * @property {'loading' | 'loaded' | 'failed'} phase
 * @property {any} value the JSON, or the error's message
 *
 * @typedef {object} TaskDetails
 * @property {string} key `agent/task_id`
 * @property {string} agent
 * @property {string} task_id
 * @property {TaskEvent | null} row
 * @property {TaskEvent | null} update the row of the agent's newest status update
 * @property {FeedEvent[]} events the newest, oldest first
 * @property {number} left_out the number of older events; at least 1 if it is unknown
 * @property {Map<string, import('../state/artifacts.js').Artifact>} artifacts
 * @property {Map<number, string[]>} flaws by event id
 * @property {import('../state/lint.js').LintState} lint_state
 * @property {'loading' | 'loaded' | 'failed'} phase
 * @property {import('../state/task_steps.js').Message[]} history
 * @property {Map<number, Resource>} raw the raw A2A updates that the user opened
 * @property {Resource | null} card
 * @property {any} last_update the newest raw status update
 * @property {number} version counts the changes
 */

/** The host's limit for one response. */
const MAX_FETCHED = 10_000;
const MAX_EVENTS = 2_000;
/** The newest raw update is loaded at most this often. It is only needed for trackers. */
const LAST_UPDATE_MS = 500;

/** The tasks in the drawers. */
export class Details {
  /** By key. @type {Map<string, TaskDetails>} */
  open = new Map();
  /** Tasks whose newest raw update is being loaded, or was a moment ago. @type {Set<TaskDetails>} */
  loading_last = new Set();

  /** @param {State} state @param {import('../state/ui.js').Ui} ui @param {() => void} redraw */
  constructor(state, ui, redraw) {
    this.state = state;
    this.ui = ui;
    this.redraw = redraw;
    this.epoch = state.epoch;
  }

  /** Open the tasks of the URL, and forget all others. */
  update() {
    const { open, state, ui } = this;
    if (this.epoch !== state.epoch) open.clear();
    this.epoch = state.epoch;
    for (const key of open.keys()) if (!ui.filter.show.includes(key)) open.delete(key);
    for (const key of ui.filter.show) if (!open.has(key)) this.openTask(key);
  }

  /** @param {string} key */
  openTask(key) {
    const task = newTaskDetails(key);
    this.open.set(key, task);
    if (this.state.link.phase === 'recording') {
      const events = this.state.rows.filter(
        (row) => 'task_id' in row && taskKey(row.agent, row.task_id) === key,
      );
      replaceEvents(task, events, false);
      task.phase = 'loaded';
    } else void this.load(task);
  }

  /** Add a live event. @param {FeedEvent} event */
  addEvent(event) {
    const task = 'task_id' in event && this.open.get(taskKey(event.agent, event.task_id));
    if (!task) return;
    if (task.phase !== 'loaded') {
      task.events.push(event);
      return;
    }
    if (event.id <= (task.events[task.events.length - 1]?.id ?? 0)) return;
    const was_waiting = task.row && isWaiting(task.row);
    appendEvent(task, event);
    if (event.kind === 'task') {
      void this.loadLastUpdate(task);
      if (was_waiting) void this.loadConversation(task);
    }
    task.version += 1;
  }

  /** Load all open tasks again, after a new snapshot. */
  reload() {
    for (const task of this.open.values()) void this.load(task);
  }

  /** @param {TaskDetails} task */
  async load(task) {
    task.phase = 'loading';
    const { agent, task_id } = task;
    const query = new URLSearchParams({ agent, task: task_id, limit: String(MAX_FETCHED) });
    try {
      const { events } = await fetchEvents(query);
      const last = events[events.length - 1]?.id ?? 0;
      const live = task.events.filter(({ id }) => id > last);
      replaceEvents(task, events.concat(live), events.length === MAX_FETCHED);
      task.phase = 'loaded';
      void this.loadLastUpdate(task);
      void this.loadConversation(task);
    } catch {
      task.phase = 'failed';
    }
    this.touch(task);
  }

  /** @param {TaskDetails} task */
  touch(task) {
    task.version += 1;
    this.redraw();
  }

  /** Load the messages of both sides from the agent, else from the task's first event. @param {TaskDetails} task */
  async loadConversation(task) {
    try {
      const text = await fetchText(taskPath(task.agent, task.task_id), { 'a2a-version': '1.0' });
      task.history = JSON.parse(text).history ?? [];
    } catch {
      const first = task.events.find(({ kind }) => kind === 'task');
      const raw = first && (await fetchRaw(first.id).catch(() => null));
      if (task.history.length === 0) task.history = raw?.task?.history ?? [];
    }
    this.touch(task);
  }

  /** Load the newest raw status update, because events do not have its trackers. @param {TaskDetails} task */
  async loadLastUpdate(task) {
    const { update } = task;
    if (!update || this.loading_last.has(task)) return;
    this.loading_last.add(task);
    try {
      task.last_update = await fetchRaw(update.id);
      addFlaws(task, update.id, lintRaw(update, task.last_update));
    } catch {
      // The drawer then shows no trackers.
    }
    this.touch(task);
    setTimeout(() => {
      this.loading_last.delete(task);
      const is_open = this.open.get(task.key) === task;
      if (task.update !== update && is_open) void this.loadLastUpdate(task);
    }, LAST_UPDATE_MS);
  }

  /** Show or hide the raw A2A update of an event. @param {TaskDetails} task @param {number} id */
  toggleRaw(task, id) {
    if (task.raw.delete(id)) return this.touch(task);
    void this.loadResource(task, (resource) => task.raw.set(id, resource), () => fetchRaw(id));
  }

  /** @param {TaskDetails} task */
  loadCard(task) {
    if (task.card && task.card.phase !== 'failed') return;
    const path = gatewayPath(task.agent, '.well-known/agent-card.json');
    const run = async () => JSON.parse(await fetchText(path));
    void this.loadResource(task, (resource) => (task.card = resource), run);
  }

  /**
   * Load once what the user opens.
   * @param {TaskDetails} task @param {(resource: Resource) => void} keep
   * @param {() => Promise<any>} run
   */
  async loadResource(task, keep, run) {
    /** @type {Resource} */
    const resource = { phase: 'loading', value: null };
    keep(resource);
    this.touch(task);
    try {
      Object.assign(resource, { phase: 'loaded', value: await run() });
    } catch (error) {
      const value = error instanceof Error ? error.message : String(error);
      Object.assign(resource, { phase: 'failed', value });
    }
    this.touch(task);
  }
}

/** @param {string} path @param {Record<string, string>} [headers] */
async function fetchText(path, headers) {
  const response = await fetch(path, { headers });
  const body = await response.text();
  if (!response.ok) throw new Error(body.slice(0, 300) || `The host answered ${response.status}.`);
  return body;
}

/** @param {number} id of an event */
const fetchRaw = async (id) => JSON.parse(await fetchText(`feed/${id}`)).raw;

/** @param {string} key @returns {TaskDetails} */
const newTaskDetails = (key) => ({
  key,
  ...splitKey(key),
  row: null,
  update: null,
  events: [],
  left_out: 0,
  artifacts: new Map(),
  flaws: new Map(),
  lint_state: newLintState(),
  phase: 'loading',
  history: [],
  raw: new Map(),
  card: null,
  last_update: null,
  version: 0,
});

/** @param {TaskDetails} task @param {FeedEvent[]} events @param {boolean} is_cut true if older events are missing */
function replaceEvents(task, events, is_cut) {
  Object.assign(task, { events: [], artifacts: new Map(), flaws: new Map() });
  Object.assign(task, { row: null, update: null });
  task.lint_state = newLintState();
  task.lint_state.is_complete = !is_cut;
  task.left_out = is_cut ? 1 : 0;
  for (const event of events) appendEvent(task, event);
}

/** @param {TaskDetails} task @param {FeedEvent} event */
function appendEvent(task, event) {
  addFlaws(task, event.id, lintEvent(task.lint_state, event));
  if (event.kind === 'task') {
    task.row = event;
    if (!isRepeat(event)) task.update = event;
  } else if (event.kind === 'artifact') addChunk(task.artifacts, event);
  task.events.push(event);
  if (task.events.length > MAX_EVENTS * 1.2) {
    task.left_out += task.events.length - MAX_EVENTS;
    task.events.splice(0, task.events.length - MAX_EVENTS);
  }
}

/** @param {TaskDetails} task @param {number} id @param {string[]} flaws */
function addFlaws(task, id, flaws) {
  if (flaws.length > 0) task.flaws.set(id, [...(task.flaws.get(id) ?? []), ...flaws]);
}
