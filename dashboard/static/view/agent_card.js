// @ts-check
// Owns an agent's card: whether the host reaches it, its task in front, its controls.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { frontTask } from '../state/selectors.js';
import { percent, plural, seconds } from '../state/format.js';
import { isOpen, isWaiting } from '../state/store.js';
import { isPending, keyOf } from '../state/ui.js';
import { agentLabel, agentTitle, agentTone, followedHow, statusLabel } from '../state/labels.js';
import { aboutButton, aboutMenu } from './agent_menu.js';
import { icon } from './icons.js';
import { clip, errorAt, status, when } from './components.js';
import { stopButton } from './task_controls.js';
import { startMenu, startMenuId } from './start_menu.js';
import { taskMenu, taskMenuId } from './task_menu.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Agent} Agent
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** Drawn when what it shows has changed. @param {Page} page @param {Agent} agent */
export function agentCard(page, agent) {
  const { state, ui, stamp, host_now_ms } = page;
  const pinned = agent.tasks.get(ui.pinned.get(agent.name) ?? '');
  const task = pinned ?? frontTask(agent, host_now_ms);
  const listed = ui.opened.has(taskMenuId(agent)) ? state.head : 0;
  const counts = [agent.tasks.size, agent.open.size, listed];
  return guard([stamp, agent, agent.row, task, task?.row, ...counts], () =>
    card(page, agent, task),
  );
}

/** @param {Page} page @param {Agent} agent @param {Task | null} task in front */
function card(page, agent, task) {
  const { row } = agent;
  const title = agentTitle(agent, agent.name);
  const connection = row?.connection ?? 'connecting';
  return html`<article
    class="card"
    aria-labelledby="agent-${agent.index}"
    data-agent=${agent.name}
    data-hue=${agent.index % 8}
    data-connection=${connection}
    ?data-trouble=${row?.trouble}
  >
    <header>
      <span class="monogram" aria-hidden="true">${title.charAt(0)}</span>
      <h2 id="agent-${agent.index}">${title}</h2>
      <span class="connection">${status(agentLabel(row), agentTone(row))}</span>
      ${aboutButton(agent)}
    </header>
    ${about(page, row)}
    ${task ? taskView(page, task) : idle(page, agent)}
    ${controlsView(page, agent, task)}
    ${page.ui.opened.has(startMenuId(agent))
      ? nothing
      : errorAt(page, `start:${agent.name}`)}
    ${errorAt(page, `retry:${agent.name}`)}
    ${task ? errorAt(page, `stop:${keyOf(task)}`) : nothing}
  </article>`;
}

/**
 * What the agent does and how it is followed; or why the host does not reach it, or
 * what is wrong with it, and when it tries next.
 * @param {Page} page @param {Agent['row']} row
 */
function about(page, row) {
  const cause = row?.trouble ?? row?.cause;
  const how = row ? followedHow(row).concat(partly(row)).join(' · ') : '';
  const where = how || row?.url || '';
  const next = row?.connection === 'lost' ? nextTry(page, row) : nothing;
  return html`<div class="about">
    ${row?.connection === 'connected' && !cause
      ? html`<p title=${row.description ?? ''}>${row.description}</p>`
      : html`<p class="cause" title=${cause ?? ''}>${cause ?? 'Waiting for its card.'}</p>`}
    <p class="how" title=${where}>${next}<span class="where">${where}</span></p>
  </div>`;
}

/** Said on the card only where not every task is found. @param {NonNullable<Agent['row']>} row */
const partly = ({ discovery }) =>
  discovery && discovery !== 'every task' ? [discovery] : [];

/** `retry 4 in 3 s`. @param {Page} page @param {NonNullable<Agent['row']>} row */
function nextTry({ host_now_ms }, row) {
  const due_ms = Date.parse(row.received_at) + (row.retry_s ?? 0) * 1000 - host_now_ms;
  const due = due_ms > 0 ? `in ${seconds(Math.ceil(due_ms / 1000))}` : 'now';
  return html`<span class="next">retry ${row.attempt + 1} ${due}</span>`;
}

/** @param {Page} page @param {Task} task */
function taskView(page, task) {
  const { row } = task;
  const says = row.result ?? row.message ?? '';
  return html`<div
    class="task"
    data-task=${row.task_id}
    data-tone=${row.status}
    data-open=${isOpen(row)}
  >
    <p class="line">
      ${status(statusLabel(row.status), row.status)}
      ${row.status === 'completed' ? nothing : html`<span class="percent">${percent(row.progress)}</span>`}
      <span class="when">${when(page, task)}</span>
      <button
        class="quiet details"
        title="The task in full"
        aria-label="Details of this task"
        @click=${() => page.controls.openTask(keyOf(task))}
      >
        ${icon('page')}
      </button>
    </p>
    <progress
      max="100"
      value=${row.progress ?? (isOpen(row) ? nothing : 0)}
      aria-label="Progress"
    ></progress>
    <p class="says" title=${says}>${clip(says)}</p>
  </div>`;
}

/** Nothing yet: what it could do, one click away. @param {Page} page @param {Agent} agent */
function idle({ ui, controls }, agent) {
  const skill = agent.row?.skills[0];
  const text = skill?.examples[0];
  const ready = agent.row?.connection === 'connected';
  return html`<div class="task idle">
    <p class="line"><span class="status">Idle</span></p>
    ${ready && skill && text
      ? html`<button
          class="suggestion"
          title="Start this: ${skill.name}"
          ?disabled=${isPending(ui, 'start', agent.name)}
          @click=${() => controls.start(agent.name, { text, skillId: skill.id })}
        >
          ${icon('play')}<span>“${clip(text)}”</span>
        </button>`
      : html`<p class="says">No task yet.</p>`}
  </div>`;
}

/** @param {Page} page @param {Agent} agent @param {Task | null} task in front */
function controlsView(page, agent, task) {
  const others = agent.tasks.size - (task ? 1 : 0);
  const otherOpen = agent.open.size - (task && isOpen(task.row) ? 1 : 0);
  const otherTasks = `${plural(others, 'other task')}, ${otherOpen} open`;
  return html`<footer ?data-full=${task && isWaiting(task.row) && others > 0}>
      ${startOrRetry(page, agent)}
      ${task && isOpen(task.row) && agent.row?.connection !== 'lost'
        ? stopButton(page, task)
        : nothing}
      ${task && isWaiting(task.row)
        ? html`<button class="primary" @click=${() => focusReply(task)}>
            ${icon('reply')}Reply
          </button>`
        : nothing}
      ${others > 0
        ? html`<button
            class="quiet others"
            popovertarget=${taskMenuId(agent)}
            title=${otherTasks}
            aria-label=${otherTasks}
            data-tone=${otherOpen > 0 ? 'running' : nothing}
          >
            ${icon('stack')}${otherOpen > 0 ? `+${otherOpen}` : others}
          </button>`
        : nothing}
    </footer>
    ${startMenu(page, agent)} ${taskMenu(page, agent, task)} ${aboutMenu(page, agent)}`;
}

/** What is out of reach cannot be started; it can be tried again. @param {Page} page @param {Agent} agent */
function startOrRetry({ ui, controls }, agent) {
  const { name, row } = agent;
  if (row?.connection === 'lost') {
    const retrying = isPending(ui, 'retry', name);
    return html`<button ?disabled=${retrying} @click=${() => controls.retry(name)}>
      ${icon('again')}${retrying ? 'Trying…' : 'Retry now'}
    </button>`;
  }
  return html`<button
    popovertarget=${startMenuId(agent)}
    class="start"
    ?disabled=${row?.connection !== 'connected'}
  >
    ${icon('play')}${isPending(ui, 'start', name) ? 'Starting…' : 'Start'}
  </button>`;
}

/** The strip at the top holds the one place to answer. @param {Task} task */
function focusReply(task) {
  const key = CSS.escape(keyOf(task));
  /** @type {HTMLElement | null} */
  const field = document.querySelector(`.needs [data-task="${key}"]`);
  field?.focus();
}
