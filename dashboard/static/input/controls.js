// @ts-check
// Handlers of the page's controls. They send a command to the host or change the view's
// state, and redraw. Event listeners are arrow functions, so that views pass them unbound.

import { CommandError, addAgent, cancelTask, removeAgent, retryAgent, sendMessage } from '../client/commands.js';
import { findRelatedTasks, keyOf, splitKey, taskKey } from '../state/selectors.js';
import { isOpen } from '../state/status.js';
import { MAX_DRAWERS, readFilter, writeFilter } from '../state/ui.js';
/** @import { State, Task } from '../state/types.d.ts' */
/** @import { Filter, Pending, Ui } from '../state/ui.js' */
/** @import { Prompt } from '../client/commands.js' */

/** Return a copy of a set, with the item added or removed. @param {ReadonlySet<string>} set @param {string} item */
function toggleIn(set, item) {
  const copy = new Set(set);
  if (!copy.delete(item)) copy.add(item);
  return copy;
}

export class Controls {
  /** The element that had the focus before the drawer opened. @type {HTMLElement | null} */
  opener = null;

  /**
   * @param {State} state @param {Ui} ui
   * @param {object} page
   * @param {() => void} page.redraw
   * @param {() => void} page.reconnect
   * @param {() => void} page.loadOlder
   * @param {(file: File | undefined) => Promise<void>} page.openRecording
   * @param {{ is_reader: boolean }} page.session
   */
  constructor(state, ui, { redraw, reconnect, loadOlder, openRecording, session }) {
    this.state = state;
    this.ui = ui;
    this.redraw = redraw;
    this.reconnect = reconnect;
    this.loadOlder = loadOlder;
    this.openRecording = openRecording;
    this.session = session;
  }

  /**
   * Run one command. The command is pending until its event arrives or the command fails.
   * Return whether the host accepted it.
   * @param {Pending['verb']} verb @param {string} subject an agent, or agent/task
   * @param {unknown} row of the subject; the command is done when this row changes
   * @param {() => Promise<string | null | void>} send may return the task's id; null if no
   *   event will follow
   */
  async run(verb, subject, row, send) {
    const { ui, redraw } = this;
    const key = `${verb}:${subject}`;
    if (ui.pending.has(key) || this.state.link.phase === 'recording') return false;
    if (this.session.is_reader) {
      ui.errors.set(key, 'Your token is read-only.');
      redraw();
      return false;
    }
    const { agent, task_id } = splitKey(subject);
    /** @type {Pending} */
    const pending = { verb, agent, task_id: task_id || null, row, at_ms: Date.now() };
    ui.errors.delete(key);
    ui.pending.set(key, pending);
    redraw();
    try {
      const started = await send();
      if (started) pending.task_id = started;
      if (started === null) ui.pending.delete(key);
      return true;
    } catch (error) {
      ui.pending.delete(key);
      if (!(error instanceof CommandError)) throw error;
      ui.errors.set(key, error.message);
      return false;
    } finally {
      redraw();
    }
  }

  /**
   * Start a task. Return whether the host accepted it, and the task's key if it has one.
   * @param {string} agent @param {Prompt} prompt
   * @returns {Promise<{ is_sent: boolean, key: string | null }>}
   */
  async startTask(agent, prompt) {
    /** @type {string | null} */
    let key = null;
    const is_sent = await this.run('start', agent, null, async () => {
      const task_id = await sendMessage(agent, prompt);
      if (task_id === null) return null;
      key = taskKey(agent, task_id);
      this.ui.started_here.add(key);
      return task_id;
    });
    return { is_sent, key };
  }

  /** @param {string} agent @param {Prompt} prompt */
  async start(agent, prompt) {
    const { is_sent } = await this.startTask(agent, prompt);
    if (is_sent) this.ui.pinned.delete(agent);
    return is_sent;
  }

  /**
   * Start the same task at several agents, and open the tasks side by side.
   * @param {string[]} agents @param {Prompt} prompt
   */
  async startAll(agents, prompt) {
    const started = await Promise.all(agents.map((agent) => this.startTask(agent, prompt)));
    const show = started.flatMap(({ key }) => key ?? []).slice(0, MAX_DRAWERS);
    if (show.length > 0) this.navigate({ show });
    return show.length === agents.length;
  }

  /** Stop a task. Ask first if this also stops its children at other agents. @param {Task} task */
  stop(task) {
    const { state, ui } = this;
    const key = keyOf(task);
    const others = findRelatedTasks(state, task.row).children.filter(({ row }) => isOpen(row)).length;
    if (others > 0 && ui.confirming_stop?.key !== key) {
      ui.confirming_stop = { key, others };
      return this.redraw();
    }
    ui.confirming_stop = null;
    return this.run('stop', key, task.row, () => cancelTask(task.row.agent, task.row.task_id));
  }

  keepRunning = () => {
    this.ui.confirming_stop = null;
    this.redraw();
  };

  /** @param {Task} task @param {string} text */
  reply(task, text) {
    const { agent, task_id: taskId, context_id: contextId } = task.row;
    const send = () => sendMessage(agent, { text, taskId, contextId });
    return this.run('reply', keyOf(task), task.row, send);
  }

  /** @param {string} agent */
  retry(agent) {
    const row = this.state.agents.get(agent)?.row;
    return this.run('retry', agent, row, () => retryAgent(agent));
  }

  /** @param {Record<string, unknown>} agent url, and optionally name and card */
  add(agent) {
    return this.run('add', '', null, async () => {
      await addAgent(agent);
      return null;
    });
  }

  /** Ask the user before a removal; null cancels it. @param {string | null} agent */
  confirmRemoval(agent) {
    this.ui.confirming_removal = agent;
    this.redraw();
  }

  /** @param {string} agent */
  remove(agent) {
    return this.run('remove', agent, null, () => removeAgent(agent));
  }

  /** @param {string} key of an error */
  dismissError(key) {
    this.ui.errors.delete(key);
    this.redraw();
  }

  /**
   * Change values that are in the URL: view, filters and drawers.
   * @param {Partial<Filter>} change @param {'replaceState' | 'pushState'} [how]
   */
  setFilter(change, how = 'replaceState') {
    Object.assign(this.ui.filter, change);
    history[how](null, '', location.pathname + writeFilter(this.ui.filter));
    this.redraw();
  }

  /** Change values in the URL so that the browser's Back button undoes the change. @param {Partial<Filter>} change */
  navigate(change) {
    this.setFilter(change, 'pushState');
  }

  /** @param {string} agent */
  toggleAgent(agent) {
    this.setFilter({ agents: toggleIn(this.ui.filter.agents, agent) });
  }

  showAll = () => this.setFilter({ agents: new Set(), task: null, failed: false });
  toggleFailed = () => this.setFilter({ failed: !this.ui.filter.failed });
  togglePending = () => this.setFilter({ pending: !this.ui.filter.pending });

  /** Open a task in the drawer. @param {string} key `agent/task_id` */
  openTask(key) {
    if (this.ui.filter.show.join() === key) return;
    const focused = document.activeElement;
    this.navigate({ show: [key] });
    // The drawer exists after the next draw.
    requestAnimationFrame(() => {
      if (focused instanceof HTMLElement && !focused.closest('.drawers')) this.opener = focused;
      /** @type {HTMLElement | null} */
      const title = document.querySelector('.drawer h2');
      title?.focus({ preventScroll: true });
    });
  }

  /** @param {string | null} key null closes all drawers */
  closeTask(key) {
    const { opener, ui } = this;
    if (ui.filter.show.length === 0) return;
    const show = key === null ? [] : ui.filter.show.filter((each) => each !== key);
    this.navigate({ show });
    if (show.length === 0 && opener?.isConnected) opener.focus({ preventScroll: true });
  }

  readUrl = () => {
    this.ui.filter = readFilter(location.search);
    this.redraw();
  };

  togglePause = () => {
    const { ui } = this;
    ui.paused = !ui.paused;
    ui.hold = ui.paused || ui.list.top > 0 ? (ui.hold ?? this.state.head) : null;
    this.redraw();
  };

  /** @param {number} top px */
  scrollFeed = (top) => {
    const { ui } = this;
    ui.list.top = top;
    if (top > 0) ui.hold ??= this.state.head;
    else if (!ui.paused) ui.hold = null;
    this.redraw();
  };

  /** @param {number} top px */
  scrollTable = (top) => {
    this.ui.table.top = top;
    this.redraw();
  };

  /** Go back to the newest event and follow the feed. */
  resume = () => {
    document.getElementById('list')?.scrollTo({ top: 0 });
    Object.assign(this.ui, { paused: false, hold: null });
    this.ui.list.top = 0;
    this.redraw();
  };

  /** Hide the notice that the feed was replaced. */
  dismissReset = () => {
    this.state.reset_reason = null;
    this.redraw();
  };

  /** @param {string} id @param {boolean} is_open */
  setMenuOpen(id, is_open) {
    if (is_open) this.ui.open_menus.add(id);
    else this.ui.open_menus.delete(id);
    if (!is_open) this.ui.confirming_removal = null;
    this.redraw();
  }

  /** @param {string} name of a collapsible section */
  toggle(name) {
    this.ui.toggled = toggleIn(this.ui.toggled, name);
    this.redraw();
  }

  /** Pin a task to its card; null shows the newest. @param {string} agent @param {string | null} task_id */
  pin(agent, task_id) {
    if (task_id === null) this.ui.pinned.delete(agent);
    else this.ui.pinned.set(agent, task_id);
    this.redraw();
  }

  /** @param {string} text */
  async copy(text) {
    await navigator.clipboard.writeText(text);
    this.ui.last_copied = text;
    this.redraw();
  }
}
