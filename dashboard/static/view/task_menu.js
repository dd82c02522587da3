// @ts-check
// Owns the list of an agent's tasks, open ones first: choosing one puts it on the card.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { tasksOf } from '../state/selectors.js';
import { percent, plural } from '../state/format.js';
import { keyOf } from '../state/ui.js';
import { agentTitle, shortId, statusLabel } from '../state/labels.js';
import { icon } from './icons.js';
import { age, clip, closeMenu, status } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Agent} Agent
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** More than anyone reads in a menu; the feed has the rest. */
const MAX_SHOWN = 50;

/** @param {Agent} agent */
export const taskMenuId = (agent) => `tasks-${agent.index}`;

/** @param {Page} page @param {Agent} agent @param {Task | null} front */
export function taskMenu(page, agent, front) {
  const id = taskMenuId(agent);
  return html`<div
    popover
    class="menu tasks"
    id=${id}
    role="dialog"
    aria-label="Tasks of ${agentTitle(agent, agent.name)}"
    @toggle=${(/** @type {ToggleEvent} */ event) =>
      page.controls.opened(id, event.newState === 'open')}
  >
    ${page.ui.opened.has(id) ? content(page, agent, front) : nothing}
  </div>`;
}

/** @param {Page} page @param {Agent} agent @param {Task | null} front */
function content(page, agent, front) {
  const tasks = tasksOf(agent);
  const left = tasks.length - MAX_SHOWN;
  const pinned = page.ui.pinned.has(agent.name);
  return html`
    <ul>
      ${repeat(tasks.slice(0, MAX_SHOWN), keyOf, (task) => taskRow(page, task, front))}
    </ul>
    ${left > 0 ? html`<p class="note">and ${plural(left, 'older task')}</p>` : nothing}
    ${pinned
      ? html`<button class="quiet" @click=${() => page.controls.unpin(agent.name)}>
          ${icon('close')}Follow the newest again
        </button>`
      : nothing}
  `;
}

/** @param {Page} page @param {Task} task @param {Task | null} front */
function taskRow(page, task, front) {
  const { row } = task;

  /** @param {Event} event */
  function choose(event) {
    page.controls.pin(task);
    closeMenu(/** @type {HTMLElement} */ (event.currentTarget));
  }

  return html`<li>
    <button
      class="choice"
      title=${row.task_id}
      aria-current=${task === front ? 'true' : nothing}
      @click=${choose}
    >
      ${status(statusLabel(row.status), row.status)}
      <span class="percent">${percent(row.progress)}</span>
      <span class="says">${clip(row.result ?? row.message ?? '')}</span>
      ${age(page, row.received_at)}
      <code>${shortId(row.task_id)}</code>
    </button>
  </li>`;
}
