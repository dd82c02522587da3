// @ts-check
// Small components that several views share: statuses, errors, ages, menus, lists of curl
// commands.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { formatAge, formatDuration, formatElapsed, formatSpan } from '../state/format.js';
import { agentTitle, statusLabel } from '../state/labels.js';
import { isQuiet } from '../state/selectors.js';
import { isOpen, isStalled, newsTimeOf, shownStatus } from '../state/status.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Agent, Task, TaskEvent } from '../state/types.d.ts' */
/** @import { Label } from '../state/labels.js' */

const HUES = 8;
/** Longer text costs layout time, and no row shows it. */
const MAX_CHARS = 400;

/** @param {string} text */
export const clip = (text) =>
  text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;

/** @param {Agent | undefined} agent */
export const hueOf = (agent) => (agent?.index ?? 0) % HUES;

/** @param {Agent | undefined} agent */
export const swatch = (agent) => html`<i class="swatch" data-hue=${hueOf(agent)}></i>`;

/** @param {Page} page @param {string} name of an agent */
export const titleOf = ({ state }, name) => agentTitle(state.agents.get(name), name);

/** Icon and word. @param {Label} label @param {string} tone */
export const labelView = (label, tone) =>
  html`<span class="status" data-tone=${tone}>${icon(label.icon)}${label.word}</span>`;

/** @param {string} status of a task */
export const statusView = (status) => labelView(statusLabel(status), status);

/** `stalled for 7 min`, counted from the last news. @param {Page} page @param {TaskEvent} row */
export function stalledView({ host_now_ms }, row) {
  const since = newsTimeOf(row);
  const span = formatSpan(host_now_ms - Date.parse(since));
  return html`<span class="status" data-tone="stalled" title="last update ${since}">
    ${icon('hourglass')}stalled for ${span}
  </span>`;
}

/** A stalled task's status says so. @param {Page} page @param {TaskEvent} row */
export const taskStatus = (page, row) =>
  isStalled(row) ? stalledView(page, row) : statusView(shownStatus(row));

/** Indeterminate if the agent reports no progress of an open task. @param {TaskEvent} row */
export const progressBar = (row) =>
  html`<progress
    max="100"
    value=${row.progress ?? (isOpen(row) ? nothing : 0)}
    aria-label="Progress"
  ></progress>`;

/** Show why a command failed, next to its button. @param {Page} page @param {string} key */
export function errorAt({ ui, controls }, key) {
  const message = ui.errors.get(key);
  if (!message) return nothing;
  return html`<p class="error" role="alert">
    <span>${message}</span>
    <button class="quiet" aria-label="Dismiss" @click=${() => controls.dismissError(key)}>
      ${icon('close')}
    </button>
  </p>`;
}

/** @param {string} iso @param {string} text */
const timeView = (iso, text) => html`<time datetime=${iso} title=${iso}>${text}</time>`;

/** @param {Page} page @param {string} iso */
export const age = ({ host_now_ms }, iso) =>
  timeView(iso, formatAge(host_now_ms - Date.parse(iso)));

/**
 * Open task: the time since its start. Finished task: its age, and how long it took.
 * @param {Page} page @param {Task} task
 */
export function taskTime({ host_now_ms }, task) {
  const { row, first } = task;
  const news_at = newsTimeOf(row);
  let text = formatAge(host_now_ms - Date.parse(news_at));
  if (isStalled(row)) {
    // Its status says when the last update came.
    text = first ? formatElapsed(host_now_ms - Date.parse(first.received_at)) : '';
  } else if (isQuiet(task, host_now_ms)) text = `last update ${text}`;
  else if (first && isOpen(row)) {
    text = formatElapsed(host_now_ms - Date.parse(first.received_at));
  } else if (first) text += ` · ${formatDuration(measureDuration(first, row))}`;
  return timeView(news_at, text);
}

/**
 * Use the agent's clock if there is one: after a reconnect, the host receives several
 * updates at the same time.
 * @param {TaskEvent} first @param {TaskEvent} last
 */
function measureDuration(first, last) {
  const [from, to] =
    first.at && last.at ? [first.at, last.at] : [first.received_at, last.received_at];
  return Date.parse(to) - Date.parse(from);
}

/** @param {Page} page @param {string} key `agent/task_id` */
export const openTaskButton = ({ controls }, key) =>
  html`<button
    type="button"
    class="quiet details"
    title="Open this task"
    aria-label="Details of this task"
    @click=${() => controls.openTask(key)}
  >
    ${icon('page')}
  </button>`;

/**
 * A listener that opens the row's task, unless the click selects text.
 * @param {Page} page @param {string} key `agent/task_id`
 */
export const openOnClick = ({ controls }, key) => () =>
  getSelection()?.isCollapsed && controls.openTask(key);

/** The last cell of a row. @param {Page} page @param {string} key @param {string} id @param {string} text */
export const idButton = ({ controls }, key, id, text) =>
  html`<button
    class="quiet"
    title="Open task ${id}"
    @click=${(/** @type {Event} */ click) => {
      click.stopPropagation();
      controls.openTask(key);
    }}
  >
    ${text}
  </button>`;

/**
 * A box in which a list scrolls.
 * @param {string} id @param {string} label @param {(top: number) => void} scroll
 * @param {unknown} content
 */
export const scrollBox = (id, label, scroll, content) =>
  html`<div
    class="list"
    id=${id}
    tabindex="0"
    role="group"
    aria-label=${label}
    @scroll=${(/** @type {Event} */ { currentTarget }) =>
      scroll(/** @type {HTMLElement} */ (currentTarget).scrollTop)}
  >
    ${content}
  </div>`;

/** The id has the index, because a name may contain characters that an id may not. @param {'start' | 'tasks' | 'about'} kind @param {Agent} agent */
export const menuId = (kind, agent) => `${kind}-${agent.index}`;

/**
 * A popover. Its content is only drawn while it is open.
 * @param {Page} page @param {string} kind its class
 * @param {string} id @param {string} label
 * @param {() => unknown} content
 */
export const menu = ({ ui, controls }, kind, id, label, content) =>
  html`<div
    popover
    class="menu ${kind}"
    id=${id}
    role="dialog"
    aria-label=${label}
    @toggle=${(/** @type {ToggleEvent} */ event) =>
      controls.setMenuOpen(id, event.newState === 'open')}
  >
    ${ui.open_menus.has(id) ? content() : nothing}
  </div>`;

/**
 * Close the menu that holds an element. The menu may have been closed meanwhile, and opened
 * again for something else. The element is then in no menu, and nothing is closed.
 * @param {Element} element
 */
export const closeMenu = (element) =>
  /** @type {HTMLElement | null} */ (element.closest('.menu'))?.hidePopover();

/** @param {Event} event */
export const formOf = ({ currentTarget }) => /** @type {HTMLFormElement} */ (currentTarget);

/** @param {HTMLFormElement} form @param {string} name */
export const fieldOf = (form, name) =>
  /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

/** A command and a button that copies it. @param {Page} page @param {string} name @param {string} command */
export const curlView = ({ ui, controls }, name, command) =>
  html`<div class="curl">
    <pre tabindex="0" aria-label=${name}><code>${command}</code></pre>
    ${navigator.clipboard
      ? html`<button type="button" @click=${() => controls.copy(command)}>
          ${icon('copy')}${ui.last_copied === command ? 'Copied' : name}
        </button>`
      : html`<span class="note">${name}</span>`}
  </div>`;

/** @param {Page} page @param {Record<string, string>} commands by label */
export const curlList = (page, commands) =>
  html`<details>
    <summary>Copy as curl</summary>
    ${Object.entries(commands).map(([name, command]) => curlView(page, name, command))}
  </details>`;
