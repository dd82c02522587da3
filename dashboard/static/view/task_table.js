// @ts-check
// Owns the table of all tasks: the open ones on top, a click shows one in full.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { allTasks } from '../state/selectors.js';
import { percent, plural } from '../state/format.js';
import { isOpen } from '../state/store.js';
import { keyOf } from '../state/ui.js';
import { agentTitle, shortId, statusLabel } from '../state/labels.js';
import { windowed } from './feed_list.js';
import { icon } from './icons.js';
import { clip, when } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** @param {Page} page */
export function taskTable(page) {
  const { state, ui, controls } = page;
  const { agents, task, failed, pending } = ui.filter;
  const { top, height, row } = ui.table;
  const second = Math.floor(page.host_now_ms / 1000);
  // As often as the feed's list moves, and no more.
  const seen = [ui.list.head, state.epoch, agents, task, failed, pending, top, height, row, second];
  return html`<div
    class="list tasks"
    id="table"
    tabindex="0"
    role="group"
    aria-label="Tasks, open ones first"
    @scroll=${{
      handleEvent: (/** @type {Event} */ event) =>
        controls.tableScrolled(/** @type {HTMLElement} */ (event.currentTarget).scrollTop),
      passive: true,
    }}
  >
    ${guard(seen, () => {
      const tasks = allTasks(state, ui.filter);
      return html`${windowed('Tasks', tasks, ui.table, false, keyOf, (each, at) => taskRow(page, each, at))}
        <p class="foot">
          ${tasks.length === 0 ? 'No task to show.' : `${plural(tasks.length, 'task')}. The log has the older ones: see History.`}
        </p>`;
    })}
  </div>`;
}

/** @param {Page} page @param {Task} task @param {number} at */
function taskRow(page, task, at) {
  const { state, controls } = page;
  const { row } = task;
  const agent = state.agents.get(row.agent);
  const label = statusLabel(row.status);
  const says = clip(row.result ?? row.message ?? '');
  return html`<div
    class="row"
    role="row"
    aria-rowindex=${at}
    data-kind="task"
    data-task=${keyOf(task)}
    data-open=${isOpen(row)}
    @click=${() => getSelection()?.isCollapsed && controls.openTask(keyOf(task))}
  >
    <span role="cell" class="what status" data-tone=${row.status}>
      ${icon(label.icon)}${label.word}
    </span>
    <span role="cell" class="agent">
      <i class="swatch" data-hue=${(agent?.index ?? 0) % 8}></i>
      ${agentTitle(agent, row.agent)}
    </span>
    <span role="cell" class="bar" data-tone=${row.status}>
      <progress
        max="100"
        value=${row.progress ?? (isOpen(row) ? nothing : 0)}
        aria-label="Progress"
      ></progress>
    </span>
    <span role="cell" class="percent">${percent(row.progress)}</span>
    <span role="cell" class="text" title=${says}>${says}</span>
    <span role="cell" class="time">${when(page, task)}</span>
    <span role="cell" class="id">
      <button
        class="quiet"
        title="Task ${row.task_id} in full"
        @click=${(/** @type {Event} */ click) => {
          click.stopPropagation();
          controls.openTask(keyOf(task));
        }}
      >
        ${shortId(row.task_id)}
      </button>
    </span>
  </div>`;
}
