// @ts-check
// The drawers: one task with all its details, or several tasks side by side.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { taskCurls } from '../client/curl.js';
import { formatDuration, formatElapsed, formatPercent } from '../state/format.js';
import { rowText, shortId } from '../state/labels.js';
import { lintCard } from '../state/lint.js';
import { findRelatedTasks, keyOf, taskKey } from '../state/selectors.js';
import { isOpen, isWaiting, shownStatus } from '../state/status.js';
import { readTrackers } from '../state/task_progress.js';
import { sumTimePerStatus } from '../state/task_steps.js';
import { isMarkdown, partView } from './artifact_parts.js';
import { clip, curlList, errorAt, hueOf, progressBar, statusView, swatch, taskStatus, titleOf } from './components.js';
import { icon } from './icons.js';
import { answerFields, onAnswer, questionOf, stopButton } from './task_controls.js';
import { flawView, resourceView, stepList } from './task_steps.js';
/** @import { Page } from '../page.js' */
/** @import { Task, TaskEvent } from '../state/types.d.ts' */
/** @import { TaskDetails } from '../client/task_details.js' */

const MAX_RELATED = 50;

/** @param {Page} page */
export function taskDrawers(page) {
  const tasks = [...page.details.open.values()];
  if (tasks.length === 0) return nothing;
  return html`<aside class="drawers" aria-label="Tasks" data-count=${tasks.length}>
    ${repeat(tasks, ({ key }) => key, (task) => drawer(page, task))}
  </aside>`;
}

/** @param {Page} page @param {TaskDetails} task */
function drawer(page, task) {
  const { state, ui } = page;
  const { key, phase } = task;
  const agent = state.agents.get(task.agent);
  const known = agent?.tasks.get(task.task_id);
  const row = findRow(known, task);
  const has_host = state.link.phase !== 'recording';
  const second = row && isOpen(row) ? Math.floor(page.now_ms / 1000) : 0;
  return html`<article class="drawer" data-task=${key} data-hue=${hueOf(agent)} aria-labelledby="drawer-${key}">
    ${header(page, task)}
    <div class="inner" tabindex="0" role="group" aria-label="Details">
      ${row ? statusSection(page, row, known) : nothing} ${loadingNote(page, task, row)}
      ${guard([task.version, phase, ui.toggled, state.link.phase, second], () => [
        trackerSection(task),
        artifactSection(page, task),
        html`<section aria-label="Updates">
          <h3>Updates</h3>
          ${timesView(page, task, row)} ${stepList(page, task)}
        </section>`,
      ])}
      ${row ? relatedSection(page, row) : nothing} ${has_host ? cardView(page, task) : nothing}
      ${has_host && row ? curlList(page, taskCurls(page.base, row)) : nothing}
    </div>
  </article>`;
}

/**
 * Return the task's newest row. The state forgets old tasks, and a snapshot cuts long texts.
 * The details have the row from the log, where its texts are whole.
 * @param {Task | undefined} known @param {TaskDetails} details
 */
const findRow = (known, { row }) =>
  known && known.row.received_at !== row?.received_at ? known.row : row;

/** @param {Page} page @param {TaskDetails} task */
function header(page, { key, agent, task_id }) {
  const { controls } = page;
  const title = titleOf(page, agent);
  return html`<header>
    <span class="monogram" aria-hidden="true">${title.charAt(0)}</span>
    <h2 id="drawer-${key}" tabindex="-1">${title} <code title=${task_id}>${shortId(task_id)}</code></h2>
    <button class="quiet" title="Show only this task in the feed" @click=${() => controls.navigate({ task: key })}>
      Filter to this task
    </button>
    <button class="quiet" aria-label="Close ${title}" @click=${() => controls.closeTask(key)}>
      ${icon('close')}
    </button>
  </header>`;
}

/** @param {Page} page @param {TaskDetails} task @param {TaskEvent | null} row */
function loadingNote({ details }, task, row) {
  if (task.phase === 'failed') {
    return html`<p class="error" role="alert">
      <span>Cannot load the events of this task.</span>
      <button @click=${() => details.load(task)}>Try again</button>
    </p>`;
  }
  if (row) return nothing;
  const text = task.phase === 'loading' ? 'Loading…' : 'The log has no events of this task.';
  return html`<p class="note">${text}</p>`;
}

/** The task's status and its controls. @param {Page} page @param {TaskEvent} row @param {Task | undefined} task */
function statusSection(page, row, task) {
  const has_controls = task && page.state.link.phase !== 'recording';
  const key = taskKey(row.agent, row.task_id);
  const started = page.details.open.get(key)?.events[0]?.received_at ?? row.received_at;
  const end_ms = isOpen(row) ? page.host_now_ms : Date.parse(row.received_at);
  const lasted_ms = end_ms - Date.parse(started);
  return html`<section class="task" data-tone=${shownStatus(row)} data-open=${isOpen(row)} aria-label="Status">
    <p class="line">
      ${taskStatus(page, row)}
      <span class="percent">${formatPercent(row.progress)}</span>
      <span class="when" title="since ${started}">
        ${isOpen(row) ? formatElapsed(lasted_ms) : `took ${formatDuration(lasted_ms)}`}
      </span>
      ${has_controls && isOpen(row) ? stopButton(page, task) : nothing}
    </p>
    ${progressBar(row)}
    ${isWaiting(row) && has_controls
      ? html`<form class="question" @submit=${onAnswer(page, task)}>
          <label for="answer-${key}" class="words">${questionOf(row)}</label>
          <div class="field">${answerFields(page, task, `answer-${key}`)}</div>
        </form>`
      : row.message
        ? html`<p class="words says-all">${clip(rowText(row, 'message'))}</p>`
        : nothing}
    ${errorAt(page, `stop:${key}`)} ${errorAt(page, `reply:${key}`)}
  </section>`;
}

/** @param {TaskDetails} task */
function trackerSection({ last_update }) {
  const trackers = readTrackers(last_update);
  // A single tracker equals the task's own progress.
  if (trackers.length < 2) return nothing;
  return html`<section aria-label="Trackers">
    <h3>Trackers</h3>
    <ul class="trackers">
      ${trackers.map(
        ({ id, percent, text, status }) =>
          html`<li data-tone=${status}>
            <span class="name">${clip(id)}</span>
            <progress max="100" value=${percent ?? nothing} aria-label=${clip(id)}></progress>
            <span class="percent">${formatPercent(percent)}</span>
            <span class="note">${clip(text)}</span>
          </li>`,
      )}
    </ul>
  </section>`;
}

/** @param {Page} page @param {TaskDetails} task */
function artifactSection({ ui, controls }, { key, artifacts }) {
  if (artifacts.size === 0) return nothing;
  return html`<section aria-label="Artifacts">
    <h3>Artifacts</h3>
    ${repeat(artifacts.values(), ({ id }) => id, (artifact) => {
      const toggle = `text:${key}:${artifact.id}`;
      const is_source = ui.toggled.has(toggle);
      return html`<div class="artifact" data-artifact=${artifact.id}>
        <p class="line">
          <b class="words">${artifact.name}</b>
          ${artifact.is_complete ? nothing : html`<span class="note">incomplete</span>`}
          ${artifact.parts.some(isMarkdown)
            ? html`<button class="quiet" aria-pressed=${is_source} @click=${() => controls.toggle(toggle)}>
                Show source
              </button>`
            : nothing}
        </p>
        ${guard([artifact, is_source], () =>
          artifact.parts.map((part) => partView(part, artifact.name, is_source)),
        )}
      </div>`;
    })}
  </section>`;
}

/** @param {Page} page @param {TaskDetails} task @param {TaskEvent | null} row */
function timesView({ host_now_ms }, { events }, row) {
  const times = sumTimePerStatus(events, row && isOpen(row) ? host_now_ms : null);
  return html`<p class="times">
    ${[...times].map(([status, ms]) => html`<span>${statusView(status)} ${formatDuration(ms)}</span>`)}
  </p>`;
}

/** @param {Page} page @param {TaskEvent} row */
function relatedSection(page, row) {
  const { before, after, parents, children, siblings } = findRelatedTasks(page.state, row);
  const groups = Object.entries({
    Continues: before,
    'Continued by': after,
    'Started by': parents,
    Started: children,
    'Same context': siblings,
  });
  const found = groups.filter(([, tasks]) => tasks.length > 0);
  if (found.length === 0) return nothing;
  return html`<section class="kin" aria-label="Related tasks">
    ${found.map(
      ([name, tasks]) =>
        html`<h3>${name}</h3>
          <ul>
            ${tasks.slice(0, MAX_RELATED).map((task) => relatedTask(page, task))}
          </ul>`,
    )}
  </section>`;
}

/** @param {Page} page @param {Task} task */
function relatedTask(page, task) {
  const { agent } = task.row;
  return html`<li>
    <button class="choice quiet" @click=${() => page.controls.openTask(keyOf(task))}>
      ${swatch(page.state.agents.get(agent))}
      <b>${titleOf(page, agent)}</b>
      ${statusView(shownStatus(task.row))}
      <span class="says">${clip(rowText(task.row, 'message'))}</span>
    </button>
  </li>`;
}

/** The agent's card with its flaws, loaded when it is opened. @param {Page} page @param {TaskDetails} task */
function cardView({ details, state }, task) {
  const { card } = task;
  return html`<details
    @toggle=${(/** @type {Event} */ { currentTarget }) => {
      if (/** @type {HTMLDetailsElement} */ (currentTarget).open) details.loadCard(task);
    }}
  >
    <summary>Agent card</summary>
    ${(state.agents.get(task.row?.agent ?? '')?.row?.lint ?? []).map(flawView)}
    ${card?.phase === 'loaded' ? lintCard(card.value).map(flawView) : nothing}
    ${card ? resourceView(card) : nothing}
  </details>`;
}
