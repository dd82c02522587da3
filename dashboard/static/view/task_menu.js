// @ts-check
// The menu with an agent's tasks, open ones first. A click keeps a task on the card.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { formatPercent, plural } from '../state/format.js';
import { agentTitle, shortId, taskText } from '../state/labels.js';
import { keyOf, listTasksOf } from '../state/selectors.js';
import { newsTimeOf } from '../state/status.js';
import { age, clip, closeMenu, menu, menuId, taskStatus } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Agent, Task } from '../state/types.d.ts' */

/** The table of tasks has the rest. */
const MAX_TASKS = 50;

/** @param {Page} page @param {Agent} agent @param {Task | null} front */
export const taskMenu = (page, agent, front) =>
  menu(page, 'tasks', menuId('tasks', agent), `Tasks of ${agentTitle(agent, agent.name)}`, () =>
    content(page, agent, front),
  );

/** @param {Page} page @param {Agent} agent @param {Task | null} front */
function content(page, agent, front) {
  const tasks = listTasksOf(agent);
  const left = tasks.length - MAX_TASKS;
  return html`
    <ul>
      ${repeat(tasks.slice(0, MAX_TASKS), keyOf, (task) => taskRow(page, task, front))}
    </ul>
    ${left > 0 ? html`<p class="note">and ${plural(left, 'older task')}</p>` : nothing}
    ${page.ui.pinned.has(agent.name)
      ? html`<button class="quiet" @click=${() => page.controls.pin(agent.name, null)}>
          ${icon('close')}Show the newest task
        </button>`
      : nothing}
  `;
}

/** @param {Page} page @param {Task} task @param {Task | null} front */
function taskRow(page, task, front) {
  const { row } = task;

  /** @param {Event} event */
  function pin(event) {
    page.controls.pin(row.agent, row.task_id);
    closeMenu(/** @type {HTMLElement} */ (event.currentTarget));
  }

  return html`<li>
    <button
      class="choice"
      title=${row.task_id}
      aria-current=${task === front ? 'true' : nothing}
      @click=${pin}
    >
      ${taskStatus(page, row)}
      <span class="percent">${formatPercent(row.progress)}</span>
      <span class="says">${clip(taskText(row))}</span>
      ${age(page, newsTimeOf(row))}
      <code>${shortId(row.task_id)}</code>
    </button>
  </li>`;
}
