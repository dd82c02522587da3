// @ts-check
// Owns what happens when something on the page is used: it asks the host (actions.js),
// notes what is waited for (ui.js), and has the page drawn again.

import { ActionError, add, cancel, remove, retry, send } from '../client/commands.js';
import { taskKey } from '../state/selectors.js';
import { isOpen } from '../state/store.js';
import { MAX_SHOWN, readFilter, writeFilter } from '../state/ui.js';
import { kinOf } from '../state/task_steps.js';

/**
 * @typedef {import('../state/types.d.ts').State} State
 * @typedef {import('../state/types.d.ts').Task} Task
 * @typedef {import('../state/ui.js').Ui} Ui
 * @typedef {import('../state/ui.js').Pending} Pending
 * @typedef {import('../client/commands.js').Words} Words
 * @typedef {ReturnType<typeof createControls>} Controls
 */

/**
 * @param {State} state @param {Ui} ui
 * @param {{ redraw: () => void, reconnect: () => void, loadOlder: () => void,
 *   open: (file: File | undefined) => Promise<void>, session: { isReader: boolean } }} page
 */
export function createControls(state, ui, page) {
  const { redraw, reconnect, loadOlder, open, session } = page;

  /**
   * Runs one command: pending from the click until the feed answers, or its error.
   * @param {Pending['verb']} verb @param {string} about
   * @param {Omit<Pending, 'verb' | 'at_ms'>} click
   * @param {() => Promise<string | null | void>} run may give the task's id
   */
  async function command(verb, about, click, run) {
    const key = `${verb}:${about}`;
    // Behind a recording there is nobody to ask.
    if (ui.pending.has(key) || state.link.phase === 'recording') return false;
    if (session.isReader) {
      ui.errors.set(key, 'You signed in with a token that may only read.');
      redraw();
      return false;
    }
    /** @type {Pending} */
    const pending = { verb, at_ms: Date.now(), ...click };
    ui.errors.delete(key);
    ui.pending.set(key, pending);
    redraw();
    try {
      const task_id = await run();
      if (task_id) pending.task_id = task_id;
      // A message without a task, or a new agent: nothing more to wait for.
      if (task_id === null) ui.pending.delete(key);
      return true;
    } catch (error) {
      ui.pending.delete(key);
      if (!(error instanceof ActionError)) throw error;
      ui.errors.set(key, error.message);
      return false;
    } finally {
      redraw();
    }
  }

  /** @param {Partial<Ui['filter']>} change @param {'push' | 'replace'} how */
  function filter(change, how) {
    Object.assign(ui.filter, change);
    const url = location.pathname + writeFilter(ui.filter);
    if (how === 'push') history.pushState(null, '', url);
    else history.replaceState(null, '', url);
    redraw();
  }

  /** @param {string} agent @param {Words} words */
  async function begin(agent, words) {
    const task_id = await send(agent, words);
    if (task_id !== null) ui.mine.add(taskKey(agent, task_id));
    return task_id;
  }

  /** Where the focus was before the drawer. @type {HTMLElement | null} */
  let back = null;

  return {
    reconnect,
    loadOlder,
    open,

    /** @param {string} agent @param {Words} words */
    start: (agent, words) =>
      command('start', agent, { agent, task_id: null, row: null }, async () => {
        const task_id = await begin(agent, words);
        ui.pinned.delete(agent);
        return task_id;
      }),

    /**
     * The same to several at once, and what becomes of it side by side.
     * @param {string[]} agents @param {Words} words
     */
    async startAll(agents, words) {
      const started = await Promise.all(
        agents.map(async (agent) => {
          /** @type {string | null} */
          let id = null;
          await command('start', agent, { agent, task_id: null, row: null }, async () => {
            id = await begin(agent, words);
            return id;
          });
          return id === null ? [] : [taskKey(agent, id)];
        }),
      );
      const show = started.flat().slice(0, MAX_SHOWN);
      if (show.length > 0) filter({ show }, 'push');
      return show.length === agents.length;
    },

    /**
     * At once, unless it would stop what it has started at other agents: then it asks.
     * @param {Task} task
     */
    stop({ row }) {
      const key = taskKey(row.agent, row.task_id);
      const others = kinOf(state, row).children.filter((each) => isOpen(each.row)).length;
      if (others > 0 && ui.asking?.key !== key) {
        ui.asking = { key, others };
        return redraw();
      }
      ui.asking = null;
      return command('stop', key, { ...row, row }, () => cancel(row.agent, row.task_id));
    },
    /** @param {Ui['asking']} asking */
    ask(asking) {
      ui.asking = asking;
      redraw();
    },

    /** @param {Task} task @param {string} text */
    reply: ({ row }, text) =>
      command('reply', `${row.agent}/${row.task_id}`, { ...row, row }, () =>
        send(row.agent, { text, taskId: row.task_id, contextId: row.context_id }),
      ),

    /** @param {string} agent */
    retry: (agent) =>
      command(
        'retry',
        agent,
        { agent, task_id: null, row: state.agents.get(agent)?.row },
        () => retry(agent),
      ),

    /** @param {Record<string, unknown>} agent url, and where wanted name and card */
    add: (agent) =>
      command('add', '', { agent: '', task_id: null, row: null }, async () => {
        await add(agent);
        return null;
      }),

    /** Asks for a yes first: null takes the question back. @param {string | null} agent */
    confirmRemoval(agent) {
      ui.removing = agent;
      redraw();
    },
    /** @param {string} agent */
    remove: (agent) =>
      command('remove', agent, { agent, task_id: null, row: null }, () => remove(agent)),

    /** Takes the notice away that the log was another, or had moved on. */
    dismissReset() {
      state.reset_reason = null;
      redraw();
    },

    /** @param {string} key */
    dismiss(key) {
      ui.errors.delete(key);
      redraw();
    },

    /** @param {string} agent */
    toggleAgent(agent) {
      const agents = new Set(ui.filter.agents);
      if (!agents.delete(agent)) agents.add(agent);
      filter({ agents }, 'replace');
    },
    /** @param {import('../state/ui.js').Tab} tab */
    showTab: (tab) => filter({ tab }, 'push'),
    showAll: () => filter({ agents: new Set(), task: null, failed: false }, 'replace'),
    /** @param {Partial<Ui['filter']>} words */
    search: (words) => filter(words, 'replace'),
    toggleFailed: () => filter({ failed: !ui.filter.failed }, 'replace'),
    togglePending: () => filter({ pending: !ui.filter.pending }, 'replace'),
    /** @param {string | null} key `agent/task_id` */
    showTask: (key) => filter({ task: key }, 'push'),
    /** Shows a task in full. @param {string} key `agent/task_id` */
    openTask(key) {
      if (ui.filter.show.join() === key) return;
      const opener = document.activeElement;
      filter({ show: [key] }, 'push');
      // It is in the document after the next drawing.
      requestAnimationFrame(() => {
        if (opener instanceof HTMLElement && !opener.closest('.drawers')) back = opener;
        /** @type {HTMLElement | null} */
        const title = document.querySelector('.drawer h2');
        title?.focus({ preventScroll: true });
      });
    },
    /** @param {string | null} key null for all */
    closeTask(key) {
      if (ui.filter.show.length === 0) return;
      const show = key === null ? [] : ui.filter.show.filter((each) => each !== key);
      filter({ show }, 'push');
      if (show.length === 0 && back?.isConnected) back.focus({ preventScroll: true });
    },
    /** @param {string} what */
    toggle(what) {
      const toggled = new Set(ui.toggled);
      if (!toggled.delete(what)) toggled.add(what);
      ui.toggled = toggled;
      redraw();
    },
    readUrl() {
      ui.filter = readFilter(location.search);
      redraw();
    },

    /** Puts a task in front on its agent's card. @param {Task} task */
    pin(task) {
      ui.pinned.set(task.row.agent, task.row.task_id);
      redraw();
    },
    /** @param {string} agent */
    unpin(agent) {
      ui.pinned.delete(agent);
      redraw();
    },

    /** @param {string} id @param {boolean} open */
    opened(id, open) {
      if (open) ui.opened.add(id);
      else ui.opened.delete(id);
      redraw();
    },

    togglePause() {
      ui.paused = !ui.paused;
      ui.hold = ui.paused || ui.list.top > 0 ? (ui.hold ?? state.head) : null;
      redraw();
    },
    /** @param {number} top px */
    scrolled(top) {
      ui.list.top = top;
      if (top > 0) ui.hold ??= state.head;
      else if (!ui.paused) ui.hold = null;
      redraw();
    },
    /** @param {number} top px */
    tableScrolled(top) {
      ui.table.top = top;
      redraw();
    },
    resume() {
      ui.paused = false;
      ui.hold = null;
      ui.list.top = 0;
      redraw();
    },

    /** @param {string} text @param {string} what */
    async copy(text, what) {
      await navigator.clipboard.writeText(text);
      ui.copied = what;
      redraw();
    },
  };
}
