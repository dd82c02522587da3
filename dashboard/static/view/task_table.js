// @ts-check
// The table of all tasks, open ones first. A click opens a task in the drawer.

import { html } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { formatPercent, plural } from '../state/format.js';
import { shortId, statusLabel, taskText } from '../state/labels.js';
import { keyOf, listTasks } from '../state/selectors.js';
import { isOpen, isStalled, shownStatus } from '../state/status.js';
import {
  clip,
  idButton,
  openOnClick,
  progressBar,
  scrollBox,
  stalledView,
  swatch,
  taskTime,
  titleOf,
} from './components.js';
import { icon } from './icons.js';
import { virtualList } from './virtual_list.js';
/** @import { Page } from '../page.js' */
/** @import { Task } from '../state/types.d.ts' */

/** @param {Page} page */
export function taskTable(page) {
  const { state, ui, controls } = page;
  const { agents, task, failed, pending } = ui.filter;
  const { top, height, row_height } = ui.table;
  const second = Math.floor(page.host_now_ms / 1000);
  // It follows the feed as often as the list does.
  const drawn = [ui.list.head, state.epoch, agents, task, failed, pending, top, height, row_height, second];
  const content = guard(drawn, () => table(page));
  return scrollBox('table', 'Tasks, open ones first', controls.scrollTable, content);
}

/** @param {Page} page */
function table(page) {
  const rows = listTasks(page.state, page.ui.filter);
  const list = virtualList({
    name: 'Tasks',
    rows,
    scroll: page.ui.table,
    keyOf,
    draw: (task, place) => taskRow(page, task, place),
  });
  return html`${list}
    <p class="foot">
      ${rows.length === 0 ? 'No tasks.' : `${plural(rows.length, 'task')}. Older ones are in History.`}
    </p>`;
}

/** @param {Page} page @param {Task} task @param {number} place */
function taskRow(page, task, place) {
  const { row } = task;
  const key = keyOf(task);
  const label = statusLabel(shownStatus(row));
  const text = clip(taskText(row));
  return html`<div
    class="row"
    role="row"
    aria-rowindex=${place}
    data-kind="task"
    data-task=${key}
    data-open=${isOpen(row)}
    @click=${openOnClick(page, key)}
  >
    <span role="cell" class="what status" data-tone=${shownStatus(row)}>
      ${icon(label.icon)}${label.word}
    </span>
    <span role="cell" class="agent">
      ${swatch(page.state.agents.get(row.agent))} ${titleOf(page, row.agent)}
    </span>
    <span role="cell" class="bar" data-tone=${shownStatus(row)}>${progressBar(row)}</span>
    <span role="cell" class="percent">${formatPercent(row.progress)}</span>
    <span role="cell" class="text" title=${text}>${text}</span>
    <span role="cell" class="time"
      >${isStalled(row) ? stalledView(page, row) : taskTime(page, task)}</span
    >
    <span role="cell" class="id">${idButton(page, key, row.task_id, shortId(row.task_id))}</span>
  </div>`;
}
