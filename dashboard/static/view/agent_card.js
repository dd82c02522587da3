// @ts-check
// An agent's card: its connection, its front task, its controls.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { formatPercent, formatSeconds, plural } from '../state/format.js';
import { agentLabel, agentTitle, agentTone, describeFollowing, taskText } from '../state/labels.js';
import { findFrontTask, keyOf } from '../state/selectors.js';
import { isOpen, isWaiting, shownStatus } from '../state/status.js';
import { isPending } from '../state/ui.js';
import { agentMenu, agentMenuButton } from './agent_menu.js';
import {
  clip,
  errorAt,
  hueOf,
  labelView,
  menuId,
  openTaskButton,
  progressBar,
  taskStatus,
  taskTime,
} from './components.js';
import { icon } from './icons.js';
import { startMenu } from './start_menu.js';
import { stopButton } from './task_controls.js';
import { taskMenu } from './task_menu.js';
/** @import { Page } from '../page.js' */
/** @import { Agent, AgentEvent, Task } from '../state/types.d.ts' */

/** @param {Page} page @param {Agent} agent */
export function agentCard(page, agent) {
  const { state, ui, revision, host_now_ms } = page;
  const pinned = agent.tasks.get(ui.pinned.get(agent.name) ?? '');
  const task = pinned ?? findFrontTask(agent, host_now_ms);
  // The task menu lists all tasks, so it follows the feed.
  const menu_head = ui.open_menus.has(menuId('tasks', agent)) ? state.head : 0;
  const counts = [agent.tasks.size, agent.open.size, menu_head];
  return guard([revision, agent, agent.row, task, task?.row, ...counts], () => card(page, agent, task));
}

/** @param {Page} page @param {Agent} agent @param {Task | null} task in front */
function card(page, agent, task) {
  const { row, index, name } = agent;
  const title = agentTitle(agent, name);
  return html`<article
    class="card"
    aria-labelledby="agent-${index}"
    data-agent=${name}
    data-hue=${hueOf(agent)}
    data-connection=${row?.connection ?? 'connecting'}
    ?data-trouble=${row?.trouble}
  >
    <header>
      <span class="monogram" aria-hidden="true">${title.charAt(0)}</span>
      <h2 id="agent-${index}">${title}</h2>
      <span class="connection">${labelView(agentLabel(row), agentTone(row))}</span>
      ${agentMenuButton(agent)}
    </header>
    ${about(page, row)} ${task ? taskView(page, task) : idleView(page, agent)}
    ${footer(page, agent, task)} ${startMenu(page, agent)} ${taskMenu(page, agent, task)}
    ${agentMenu(page, agent)}
    ${page.ui.open_menus.has(menuId('start', agent)) ? nothing : errorAt(page, `start:${name}`)}
    ${errorAt(page, `retry:${name}`)} ${task ? errorAt(page, `stop:${keyOf(task)}`) : nothing}
  </article>`;
}

/**
 * What the agent does and how it is followed; or its problem, and the next retry.
 * @param {Page} page @param {AgentEvent | null} row
 */
function about(page, row) {
  const cause = row?.trouble ?? row?.cause;
  const following = row ? describeFollowing(row).concat(partialDiscovery(row)).join(' · ') : '';
  const where = following || row?.url || '';
  const retry = row?.connection === 'lost' ? retryText(page, row) : nothing;
  return html`<div class="about">
    ${row?.connection === 'connected' && !cause
      ? html`<p title=${row.description ?? ''}>${row.description}</p>`
      : html`<p class="cause" title=${cause ?? ''}>${cause ?? 'Waiting for the agent’s card.'}</p>`}
    <p class="how" title=${where}>${retry}<span class="where">${where}</span></p>
  </div>`;
}

/** The card mentions discovery only if the host does not find every task. @param {AgentEvent} row */
const partialDiscovery = ({ discovery }) =>
  discovery && discovery !== 'every task' ? [discovery] : [];

/** `retry 4 in 3 s`. @param {Page} page @param {AgentEvent} row */
function retryText({ host_now_ms }, row) {
  const due_ms = Date.parse(row.received_at) + (row.retry_s ?? 0) * 1000 - host_now_ms;
  const due = due_ms > 0 ? `in ${formatSeconds(Math.ceil(due_ms / 1000))}` : 'now';
  return html`<span class="next">retry ${row.attempt + 1} ${due}</span>`;
}

/** @param {Page} page @param {Task} task */
function taskView(page, task) {
  const { row } = task;
  const text = taskText(row);
  return html`<div
    class="task"
    data-task=${row.task_id}
    data-tone=${shownStatus(row)}
    data-open=${isOpen(row)}
  >
    <p class="line">
      ${taskStatus(page, row)}
      ${row.status === 'completed'
        ? nothing
        : html`<span class="percent">${formatPercent(row.progress)}</span>`}
      <span class="when">${taskTime(page, task)}</span>
      ${openTaskButton(page, keyOf(task))}
    </p>
    ${progressBar(row)}
    <p class="says" title=${text}>${clip(text)}</p>
  </div>`;
}

/** No task yet: suggest the first example of the first skill. @param {Page} page @param {Agent} agent */
function idleView({ ui, controls }, { name, row }) {
  const skill = row?.skills[0];
  const text = skill?.examples[0];
  return html`<div class="task idle">
    <p class="line"><span class="status">Idle</span></p>
    ${row?.connection === 'connected' && skill && text
      ? html`<button
          class="suggestion"
          title="Start this: ${skill.name}"
          ?disabled=${isPending(ui, 'start', name)}
          @click=${() => controls.start(name, { text, skillId: skill.id })}
        >
          ${icon('play')}<span>“${clip(text)}”</span>
        </button>`
      : html`<p class="says">No task yet.</p>`}
  </div>`;
}

/** @param {Page} page @param {Agent} agent @param {Task | null} task in front */
function footer(page, agent, task) {
  const others = agent.tasks.size - (task ? 1 : 0);
  const is_waiting = task && isWaiting(task.row);
  return html`<footer ?data-full=${is_waiting && others > 0}>
    ${startOrRetry(page, agent)}
    ${task && isOpen(task.row) && agent.row?.connection !== 'lost' ? stopButton(page, task) : nothing}
    ${is_waiting
      ? html`<button class="primary" @click=${() => focusReply(task)}>
          ${icon('reply')}Reply
        </button>`
      : nothing}
    ${others > 0 ? otherTasksButton(agent, task, others) : nothing}
  </footer>`;
}

/** @param {Agent} agent @param {Task | null} task in front @param {number} others */
function otherTasksButton(agent, task, others) {
  const open = agent.open.size - (task && isOpen(task.row) ? 1 : 0);
  const title = `${plural(others, 'other task')}, ${open} open`;
  return html`<button
    class="quiet others"
    popovertarget=${menuId('tasks', agent)}
    title=${title}
    aria-label=${title}
    data-tone=${open > 0 ? 'running' : nothing}
  >
    ${icon('stack')}${open > 0 ? `+${open}` : others}
  </button>`;
}

/** A lost agent offers Retry instead of Start. @param {Page} page @param {Agent} agent */
function startOrRetry({ ui, controls }, agent) {
  const { name, row } = agent;
  if (row?.connection === 'lost') {
    const is_retrying = isPending(ui, 'retry', name);
    return html`<button ?disabled=${is_retrying} @click=${() => controls.retry(name)}>
      ${icon('again')}${is_retrying ? 'Trying…' : 'Retry now'}
    </button>`;
  }
  return html`<button
    popovertarget=${menuId('start', agent)}
    class="start"
    title="Choose what to start"
    ?disabled=${row?.connection !== 'connected'}
  >
    ${icon('play')}${isPending(ui, 'start', name) ? 'Starting…' : 'Start…'}
  </button>`;
}

/** The answer's field is above the cards. @param {Task} task */
function focusReply(task) {
  const key = CSS.escape(keyOf(task));
  /** @type {HTMLElement | null} */
  const field = document.querySelector(`.needs [data-task="${key}"]`);
  field?.focus();
}
