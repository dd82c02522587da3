// @ts-check
// Owns the drawer: one task in full, or several side by side.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { curlsOf } from '../client/commands.js';
import { percent, stopwatch, took } from '../state/format.js';
import { lintCard } from '../state/lint.js';
import { trackersOf } from '../state/task_progress.js';
import { isOpen, isWaiting } from '../state/store.js';
import { keyOf } from '../state/ui.js';
import { kinOf, timesOf } from '../state/task_steps.js';
import { agentTitle, shortId, statusLabel } from '../state/labels.js';
import { isMarkdown, partView } from './artifact_parts.js';
import { course, fetchedTree, flawView } from './task_steps.js';
import { icon } from './icons.js';
import { clip, curls, errorAt, status } from './components.js';
import { answerFields, onAnswer, questionOf, stopButton } from './task_controls.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../client/task_details.js').Dossier} Dossier
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** @param {Page} page */
export function drawers(page) {
  const open = [...page.dossiers.open.values()];
  if (open.length === 0) return nothing;
  return html`<aside class="drawers" aria-label="Tasks" data-count=${open.length}>
    ${repeat(open, ({ key }) => key, (dossier) => drawer(page, dossier))}
  </aside>`;
}

/** @param {Page} page @param {Dossier} dossier */
function drawer(page, dossier) {
  const { state, ui, controls, dossiers } = page;
  const { key } = dossier;
  const agent = state.agents.get(dossier.agent);
  const title = agentTitle(agent, dossier.agent);
  const known = agent?.tasks.get(dossier.task_id);
  // A task that is long over is in the log only.
  const row = known?.row ?? dossier.row;
  const second = row && isOpen(row) ? Math.floor(page.now_ms / 1000) : 0;
  return html`<article
    class="drawer"
    data-task=${key}
    data-hue=${(agent?.index ?? 0) % 8}
    aria-labelledby="drawer-${key}"
  >
    <header>
      <span class="monogram" aria-hidden="true">${title.charAt(0)}</span>
      <h2 id="drawer-${key}" tabindex="-1">${title} <code title=${dossier.task_id}>${shortId(dossier.task_id)}</code></h2>
      <button class="quiet" title="Only this task in the feed" @click=${() => controls.showTask(key)}>
        Only this
      </button>
      <button class="quiet" aria-label="Close ${title}" @click=${() => controls.closeTask(key)}>
        ${icon('close')}
      </button>
    </header>
    <div class="inner" tabindex="0" role="group" aria-label="Details">
      ${row ? head(page, row, known) : nothing}
      ${dossier.phase === 'failed'
        ? html`<p class="error" role="alert">
            <span>The host did not give the events of this task.</span>
            <button @click=${() => dossiers.again(dossier)}>Try again</button>
          </p>`
        : nothing}
      ${dossier.phase === 'loading' && !row ? html`<p class="note">Loading…</p>` : nothing}
      ${dossier.phase === 'there' && !row
        ? html`<p class="note">The log has no event of this task.</p>`
        : nothing}
      ${guard([dossier.version, dossier.phase, ui.toggled, state.link.phase, second], () => [
        trackers(dossier),
        artifacts(page, dossier),
        html`<section aria-label="Updates">
          <h3>Updates</h3>
          ${times(page, dossier, row)} ${course(page, dossier)}
        </section>`,
      ])}
      ${row ? kin(page, row) : nothing}
      ${state.link.phase === 'recording' ? nothing : [card(page, dossier), row ? curls(page, curlsOf(page.base, row)) : nothing]}
    </div>
  </article>`;
}

/** Where it stands, and what can be done. @param {Page} page @param {Task['row']} row @param {Task | undefined} task */
function head(page, row, task) {
  const live = page.state.link.phase !== 'recording';
  const key = `${row.agent}/${row.task_id}`;
  const started = page.dossiers.open.get(key)?.events[0]?.received_at ?? row.received_at;
  const end_ms = isOpen(row) ? page.host_now_ms : Date.parse(row.received_at);
  const lasted = end_ms - Date.parse(started);
  return html`<section class="task" data-tone=${row.status} data-open=${isOpen(row)} aria-label="Status">
    <p class="line">
      ${status(statusLabel(row.status), row.status)}
      <span class="percent">${percent(row.progress)}</span>
      <span class="when" title="since ${started}">
        ${isOpen(row) ? stopwatch(lasted) : `took ${took(lasted)}`}
      </span>
      ${live && task && isOpen(row) ? stopButton(page, task) : nothing}
    </p>
    <progress max="100" value=${row.progress ?? (isOpen(row) ? nothing : 0)} aria-label="Progress"></progress>
    ${isWaiting(row) && live && task
      ? html`<form class="question" @submit=${onAnswer(page, task)}>
          <label for="answer-${key}" class="words">${questionOf(row)}</label>
          <div class="field">${answerFields(page, task, `answer-${key}`)}</div>
        </form>`
      : row.message
        ? html`<p class="words says-all">${clip(row.message)}</p>`
        : nothing}
    ${errorAt(page, `stop:${key}`)} ${errorAt(page, `reply:${key}`)}
  </section>`;
}

/** @param {Dossier} dossier */
function trackers(dossier) {
  const found = trackersOf(dossier.last);
  // One tracker says what the bar above says already.
  if (found.length < 2) return nothing;
  return html`<section aria-label="Trackers">
    <h3>Trackers</h3>
    <ul class="trackers">
      ${found.map(
        ({ id, percent: done, text, status: tone }) =>
          html`<li data-tone=${tone}>
            <span class="name">${clip(id)}</span>
            <progress max="100" value=${done ?? nothing} aria-label=${clip(id)}></progress>
            <span class="percent">${percent(done)}</span>
            <span class="note">${clip(text)}</span>
          </li>`,
      )}
    </ul>
  </section>`;
}

/** @param {Page} page @param {Dossier} dossier */
function artifacts({ ui, controls }, { key, artifacts: made }) {
  if (made.size === 0) return nothing;
  return html`<section aria-label="Artifacts">
    <h3>Artifacts</h3>
    ${repeat(made.values(), ({ id }) => id, (artifact) => {
      const toggle = `text:${key}:${artifact.id}`;
      const asWritten = ui.toggled.has(toggle);
      return html`<div class="artifact" data-artifact=${artifact.id}>
        <p class="line">
          <b class="words">${artifact.name}</b>
          ${artifact.isWhole ? nothing : html`<span class="note">more may come</span>`}
          ${artifact.parts.some(isMarkdown)
            ? html`<button class="quiet" aria-pressed=${asWritten} @click=${() => controls.toggle(toggle)}>
                As written
              </button>`
            : nothing}
        </p>
        ${guard([artifact, asWritten], () =>
          artifact.parts.map((part) => partView(part, artifact.name, asWritten)),
        )}
      </div>`;
    })}
  </section>`;
}

/** How long it was in each status. @param {Page} page @param {Dossier} dossier @param {Task['row'] | null} row */
function times({ host_now_ms }, { events }, row) {
  const spent = timesOf(events, row && isOpen(row) ? host_now_ms : null);
  return html`<p class="times">
    ${[...spent].map(
      ([name, ms]) => html`<span>${status(statusLabel(name), name)} ${took(ms)}</span>`,
    )}
  </p>`;
}

/** @param {Page} page @param {Task['row']} row */
function kin(page, row) {
  const { parent, children, siblings } = kinOf(page.state, row);
  const groups = { 'Started by': parent, Started: children, 'Same context': siblings };
  if (parent.length + children.length + siblings.length === 0) return nothing;
  return html`<section class="kin" aria-label="Related tasks">
    ${Object.entries(groups).map(([name, tasks]) =>
      tasks.length === 0
        ? nothing
        : html`<h3>${name}</h3>
            <ul>
              ${tasks.slice(0, 50).map((task) => kinRow(page, task))}
            </ul>`,
    )}
  </section>`;
}

/** @param {Page} page @param {Task} task */
function kinRow({ state, controls }, task) {
  const { row } = task;
  return html`<li>
    <button class="choice quiet" @click=${() => controls.openTask(keyOf(task))}>
      <i class="swatch" data-hue=${(state.agents.get(row.agent)?.index ?? 0) % 8}></i>
      <b>${agentTitle(state.agents.get(row.agent), row.agent)}</b>
      ${status(statusLabel(row.status), row.status)}
      <span class="says">${clip(row.message ?? '')}</span>
    </button>
  </li>`;
}

/** The agent's card, and what is wrong with it. @param {Page} page @param {Dossier} dossier */
function card({ dossiers }, dossier) {
  const { card: fetched } = dossier;
  return html`<details
    @toggle=${(/** @type {Event} */ { currentTarget }) => {
      if (/** @type {HTMLDetailsElement} */ (currentTarget).open) dossiers.lookAtCard(dossier);
    }}
  >
    <summary>Agent’s card</summary>
    ${fetched?.phase === 'there' ? lintCard(fetched.value).map(flawView) : nothing}
    ${fetched ? fetchedTree(fetched) : nothing}
  </details>`;
}
