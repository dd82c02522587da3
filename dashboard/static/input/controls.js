// @ts-check
// What happens when the user operates a control: send a command to the host, change the
// view's state, redraw.

import { CommandError, addAgent, cancelTask, removeAgent, retryAgent, sendMessage } from '../client/commands.js';
import { findRelatedTasks, keyOf, taskKey } from '../state/selectors.js';
import { isOpen } from '../state/status.js';
import { MAX_DRAWERS, readFilter, writeFilter } from '../state/ui.js';
/** @import { State, Task } from '../state/types.d.ts' */
/** @import { Filter, Pending, Ui } from '../state/ui.js' */
/** @import { Prompt } from '../client/commands.js' */

/** @typedef {ReturnType<typeof createControls>} Controls */

/**
 * @param {State} state @param {Ui} ui
 * @param {object} page
 * @param {() => void} page.redraw
 * @param {() => void} page.reconnect
 * @param {() => void} page.loadOlder
 * @param {(file: File | undefined) => Promise<void>} page.openRecording
 * @param {{ is_reader: boolean }} page.session
 */
export function createControls(state, ui, page) {
  const { redraw } = page;
  const run = createRunner(state, ui, page);
  return {
    ...page,
    ...createFeedControls(state, ui, redraw),
    ...createFilterControls(ui, redraw),
    ...createMenuControls(ui, redraw),
    ...createTaskCommands(state, ui, redraw, run),
    ...createAgentCommands(state, ui, redraw, run),
  };
}

/** @typedef {ReturnType<typeof createRunner>} Runner */

/**
 * @param {State} state @param {Ui} ui
 * @param {{ redraw: () => void, session: { is_reader: boolean } }} page
 */
function createRunner(state, ui, { redraw, session }) {
  /**
   * Run one command. It is pending from the click until its event arrives or it fails.
   * Return whether the host accepted it.
   * @param {Pending['verb']} verb @param {string} subject an agent, or agent/task
   * @param {Omit<Pending, 'verb' | 'at_ms'>} target
   * @param {() => Promise<string | null | void>} send may return the task's id; null if no
   *   event will follow
   */
  return async function runCommand(verb, subject, target, send) {
    const key = `${verb}:${subject}`;
    if (ui.pending.has(key) || state.link.phase === 'recording') return false;
    if (session.is_reader) {
      ui.errors.set(key, 'Your token only allows reading.');
      redraw();
      return false;
    }
    /** @type {Pending} */
    const pending = { verb, at_ms: Date.now(), ...target };
    ui.errors.delete(key);
    ui.pending.set(key, pending);
    redraw();
    try {
      const task_id = await send();
      if (task_id) pending.task_id = task_id;
      if (task_id === null) ui.pending.delete(key);
      return true;
    } catch (error) {
      ui.pending.delete(key);
      if (!(error instanceof CommandError)) throw error;
      ui.errors.set(key, error.message);
      return false;
    } finally {
      redraw();
    }
  };
}

/** @param {string} agent @param {unknown} [row] */
const ofAgent = (agent, row = null) => ({ agent, task_id: null, row });

/** @param {Task} task */
const ofTask = ({ row }) => ({ agent: row.agent, task_id: row.task_id, row });

/**
 * Start a task. Return whether the host accepted it, and the task's key if it has one.
 * @param {Ui} ui @param {Runner} run @param {string} agent @param {Prompt} prompt
 * @returns {Promise<{ is_sent: boolean, key: string | null }>}
 */
async function startTask(ui, run, agent, prompt) {
  /** @type {string | null} */
  let key = null;
  const is_sent = await run('start', agent, ofAgent(agent), async () => {
    const task_id = await sendMessage(agent, prompt);
    if (task_id === null) return null;
    key = taskKey(agent, task_id);
    ui.started_here.add(key);
    return task_id;
  });
  return { is_sent, key };
}

/** @param {State} state @param {Ui} ui @param {() => void} redraw @param {Runner} run */
function createTaskCommands(state, ui, redraw, run) {
  return {
    /** @param {string} agent @param {Prompt} prompt */
    async start(agent, prompt) {
      const { is_sent } = await startTask(ui, run, agent, prompt);
      if (is_sent) ui.pinned.delete(agent);
      return is_sent;
    },
    /**
     * Start the same task at several agents, and open the tasks side by side.
     * @param {string[]} agents @param {Prompt} prompt
     */
    async startAll(agents, prompt) {
      const started = await Promise.all(agents.map((agent) => startTask(ui, run, agent, prompt)));
      const show = started.flatMap(({ key }) => key ?? []).slice(0, MAX_DRAWERS);
      if (show.length > 0) setFilter(ui, redraw, { show }, 'push');
      return show.length === agents.length;
    },
    /** Stop a task. Ask first if this also stops its children at other agents. @param {Task} task */
    stop(task) {
      const key = keyOf(task);
      const others = findRelatedTasks(state, task.row).children.filter(({ row }) => isOpen(row)).length;
      if (others > 0 && ui.confirming_stop?.key !== key) {
        ui.confirming_stop = { key, others };
        return redraw();
      }
      ui.confirming_stop = null;
      return run('stop', key, ofTask(task), () => cancelTask(task.row.agent, task.row.task_id));
    },
    keepRunning() {
      ui.confirming_stop = null;
      redraw();
    },
    /** @param {Task} task @param {string} text */
    reply(task, text) {
      const { agent, task_id: taskId, context_id: contextId } = task.row;
      const send = () => sendMessage(agent, { text, taskId, contextId });
      return run('reply', keyOf(task), ofTask(task), send);
    },
  };
}

/** @param {State} state @param {Ui} ui @param {() => void} redraw @param {Runner} run */
function createAgentCommands(state, ui, redraw, run) {
  return {
    /** @param {string} agent */
    retry: (agent) =>
      run('retry', agent, ofAgent(agent, state.agents.get(agent)?.row), () => retryAgent(agent)),
    /** @param {Record<string, unknown>} agent url, and optionally name and card */
    add: (agent) =>
      run('add', '', ofAgent(''), async () => {
        await addAgent(agent);
        return null;
      }),
    /** Ask the user before a removal; null cancels it. @param {string | null} agent */
    confirmRemoval(agent) {
      ui.confirming_removal = agent;
      redraw();
    },
    /** @param {string} agent */
    remove: (agent) => run('remove', agent, ofAgent(agent), () => removeAgent(agent)),
    /** @param {string} key of an error */
    dismissError(key) {
      ui.errors.delete(key);
      redraw();
    },
  };
}

/**
 * @param {Ui} ui @param {() => void} redraw
 * @param {Partial<Filter>} change @param {'push' | 'replace'} how to change the URL
 */
function setFilter(ui, redraw, change, how) {
  Object.assign(ui.filter, change);
  const url = location.pathname + writeFilter(ui.filter);
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  redraw();
}

/**
 * Views, filters and drawers: all that is in the URL.
 * @param {Ui} ui @param {() => void} redraw
 */
function createFilterControls(ui, redraw) {
  /** @param {Partial<Filter>} change */
  const replace = (change) => setFilter(ui, redraw, change, 'replace');
  /** @param {Partial<Filter>} change */
  const push = (change) => setFilter(ui, redraw, change, 'push');
  /** The element that had the focus before the drawer. @type {HTMLElement | null} */
  let opener = null;

  return {
    setFilter: replace,
    /** @param {string} agent */
    toggleAgent(agent) {
      const agents = new Set(ui.filter.agents);
      if (!agents.delete(agent)) agents.add(agent);
      replace({ agents });
    },
    /** @param {import('../state/ui.js').Tab} tab */
    showTab: (tab) => push({ tab }),
    showAll: () => replace({ agents: new Set(), task: null, failed: false }),
    toggleFailed: () => replace({ failed: !ui.filter.failed }),
    togglePending: () => replace({ pending: !ui.filter.pending }),
    /** @param {string | null} task `agent/task_id`, or null for all */
    filterToTask: (task) => push({ task }),

    /** Open a task in the drawer. @param {string} key `agent/task_id` */
    openTask(key) {
      if (ui.filter.show.join() === key) return;
      const focused = document.activeElement;
      push({ show: [key] });
      // The drawer exists after the next drawing.
      requestAnimationFrame(() => {
        if (focused instanceof HTMLElement && !focused.closest('.drawers')) opener = focused;
        /** @type {HTMLElement | null} */
        const title = document.querySelector('.drawer h2');
        title?.focus({ preventScroll: true });
      });
    },
    /** @param {string | null} key null closes all drawers */
    closeTask(key) {
      if (ui.filter.show.length === 0) return;
      const show = key === null ? [] : ui.filter.show.filter((each) => each !== key);
      push({ show });
      if (show.length === 0 && opener?.isConnected) opener.focus({ preventScroll: true });
    },
    readUrl() {
      ui.filter = readFilter(location.search);
      redraw();
    },
  };
}

/**
 * Pausing and scrolling the lists.
 * @param {State} state @param {Ui} ui @param {() => void} redraw
 */
function createFeedControls(state, ui, redraw) {
  return {
    togglePause() {
      ui.paused = !ui.paused;
      ui.hold = ui.paused || ui.list.top > 0 ? (ui.hold ?? state.head) : null;
      redraw();
    },
    /** @param {number} top px */
    scrollFeed(top) {
      ui.list.top = top;
      if (top > 0) ui.hold ??= state.head;
      else if (!ui.paused) ui.hold = null;
      redraw();
    },
    /** @param {number} top px */
    scrollTable(top) {
      ui.table.top = top;
      redraw();
    },
    /** Go back to the newest event and follow the feed. */
    resume() {
      document.getElementById('list')?.scrollTo({ top: 0 });
      ui.paused = false;
      ui.hold = null;
      ui.list.top = 0;
      redraw();
    },
    /** Hide the notice that the feed was replaced. */
    dismissReset() {
      state.reset_reason = null;
      redraw();
    },
  };
}

/**
 * Menus, foldable parts and the clipboard.
 * @param {Ui} ui @param {() => void} redraw
 */
function createMenuControls(ui, redraw) {
  return {
    /** @param {string} id @param {boolean} is_open */
    setMenuOpen(id, is_open) {
      if (is_open) ui.open_menus.add(id);
      else ui.open_menus.delete(id);
      if (!is_open) ui.confirming_removal = null;
      redraw();
    },
    /** @param {string} name of a foldable part */
    toggle(name) {
      const toggled = new Set(ui.toggled);
      if (!toggled.delete(name)) toggled.add(name);
      ui.toggled = toggled;
      redraw();
    },
    /** Keep a task on its agent's card. @param {Task} task */
    pin({ row }) {
      ui.pinned.set(row.agent, row.task_id);
      redraw();
    },
    /** @param {string} agent */
    unpin(agent) {
      ui.pinned.delete(agent);
      redraw();
    },
    /** @param {string} text */
    async copy(text) {
      await navigator.clipboard.writeText(text);
      ui.last_copied = text;
      redraw();
    },
  };
}
