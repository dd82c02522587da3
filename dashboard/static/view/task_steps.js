// @ts-check
// The drawer's list of a task's steps, newest first: messages of both sides, gaps, flaws,
// and on request the raw A2A update of a step.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { formatDuration, formatPercent, formatRowTime, plural } from '../state/format.js';
import { eventLabel, eventText, eventTone } from '../state/labels.js';
import { listSteps } from '../state/task_steps.js';
import { jsonTree } from './artifact_parts.js';
import { clip } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Resource, TaskDetails } from '../client/task_details.js' */
/** @import { Step } from '../state/task_steps.js' */

/** The user can show all. */
const MAX_STEPS = 60;

/** @param {Page} page @param {TaskDetails} task */
export function stepList({ ui, controls, ...page }, task) {
  const steps = listSteps(task.events, task.history);
  const toggle = `all:${task.key}`;
  const visible = ui.toggled.has(toggle) ? steps : steps.slice(-MAX_STEPS);
  const hidden = steps.length - visible.length;
  return html`<ol class="course">
      ${repeat(
        [...visible].reverse(),
        ({ key }) => key,
        (step) => (step.kind === 'user' ? userStep(step) : eventStep(page, task, step)),
      )}
    </ol>
    ${hidden > 0
      ? html`<button class="quiet" @click=${() => controls.toggle(toggle)}>
          Show ${plural(hidden, 'earlier update')}
        </button>`
      : nothing}
    ${task.left_out > 0
      ? html`<p class="note">Earlier events are in the log only. See History.</p>`
      : nothing}`;
}

/** @param {Step} step */
const userStep = ({ text }) =>
  html`<li class="step" data-kind="user">
    <span class="status">${icon('bubble')}you</span>
    <p class="words">${clip(text)}</p>
  </li>`;

/** @param {Pick<Page, 'state' | 'details' | 'host_now_ms'>} page @param {TaskDetails} task @param {Step} step */
function eventStep({ state, details, host_now_ms }, task, { event, count, lasted_ms }) {
  if (!event) return nothing;
  const { id, received_at } = event;
  const label = eventLabel(event);
  const raw = task.raw.get(id);
  const flaws = task.flaws.get(id) ?? [];
  const text = event.kind === 'task' ? (event.message ?? '') : eventText(event);
  const has_host = state.link.phase !== 'recording';
  return html`<li class="step" data-kind=${event.kind} data-id=${id}>
    <span class="status" data-tone=${eventTone(event)}>
      ${icon(label.icon)}${label.word}
      ${event.kind === 'task' ? formatPercent(event.progress) : ''}
    </span>
    <span class="when">
      <time datetime=${received_at} title=${received_at}>${formatRowTime(received_at, host_now_ms)}</time>
      ${lasted_ms === null
        ? nothing
        : html`<span title="time until the next step">+${formatDuration(lasted_ms)}</span>`}
      ${count > 1 ? html`<span title="updates with the same message">×${count}</span>` : nothing}
      ${has_host
        ? html`<button
            class="quiet"
            aria-expanded=${raw !== undefined}
            title="Raw A2A update of event ${id}"
            @click=${() => details.toggleRaw(task, id)}
          >
            raw
          </button>`
        : nothing}
    </span>
    ${text ? html`<p class="words">${clip(text)}</p>` : nothing}
    ${flaws.map(flawView)} ${raw ? resourceView(raw) : nothing}
  </li>`;
}

/** @param {string} flaw */
export const flawView = (flaw) =>
  html`<p class="flaw" data-tone="trouble">${icon('warning')}<span>A2A: ${flaw}</span></p>`;

/** @param {Resource} resource */
export function resourceView({ phase, value }) {
  if (phase === 'loading') return html`<p class="note">Loading…</p>`;
  if (phase === 'failed') return html`<p class="error" role="alert">${value}</p>`;
  if (value === null) return html`<p class="note">The host made this event. It has no raw update.</p>`;
  return html`<div class="json">${jsonTree(value)}</div>`;
}
