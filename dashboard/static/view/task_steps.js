// @ts-check
// Owns the drawer's list of what happened to a task, the newest on top: what each side
// said and for how long, gaps, flaws, and on demand the A2A update behind a line.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { percent, plural, rowTime, took } from '../state/format.js';
import { courseOf } from '../state/task_steps.js';
import { eventLabel, eventText, eventTone } from '../state/labels.js';
import { jsonTree } from './artifact_parts.js';
import { icon } from './icons.js';
import { clip } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../client/task_details.js').Dossier} Dossier
 * @typedef {import('../state/task_steps.js').Step} Step
 */

/** More on demand. */
const FIRST_SHOWN = 60;

/** @param {Page} page @param {Dossier} dossier */
export function course(page, dossier) {
  const steps = courseOf(dossier.events, dossier.history);
  const all = page.ui.toggled.has(`all:${dossier.key}`);
  const shown = all ? steps : steps.slice(-FIRST_SHOWN);
  const hidden = steps.length - shown.length;
  return html`<ol class="course">
      ${repeat(
        [...shown].reverse(),
        ({ key }) => key,
        (step) => (step.kind === 'user' ? userStep(step) : eventStep(page, dossier, step)),
      )}
    </ol>
    ${hidden > 0
      ? html`<button class="quiet" @click=${() => page.controls.toggle(`all:${dossier.key}`)}>
          ${plural(hidden, 'earlier update')}
        </button>`
      : nothing}
    ${dossier.left_out > 0
      ? html`<p class="note">Still earlier ones are in the log, not here.</p>`
      : nothing}`;
}

/** @param {Step} step */
const userStep = ({ text }) =>
  html`<li class="step" data-kind="user">
    <span class="status">${icon('bubble')}you</span>
    <p class="words">${clip(text)}</p>
  </li>`;

/** @param {Page} page @param {Dossier} dossier @param {Step} step */
function eventStep(page, dossier, { event, count, lasted_ms }) {
  if (!event) return nothing;
  const label = eventLabel(event);
  const raw = dossier.raw.get(event.id);
  const flaws = dossier.flaws.get(event.id) ?? [];
  const said = event.kind === 'task' ? (event.message ?? '') : eventText(event);
  const live = page.state.link.phase !== 'recording';
  return html`<li class="step" data-kind=${event.kind} data-id=${event.id}>
    <span class="status" data-tone=${eventTone(event)}>
      ${icon(label.icon)}${label.word}
      ${event.kind === 'task' ? percent(event.progress) : ''}
    </span>
    <span class="when">
      <time datetime=${event.received_at} title=${event.received_at}
        >${rowTime(event.received_at, page.host_now_ms)}</time
      >
      ${lasted_ms === null ? nothing : html`<span title="until the next">+${took(lasted_ms)}</span>`}
      ${count > 1 ? html`<span title="updates that say the same">×${count}</span>` : nothing}
      ${live
        ? html`<button
            class="quiet"
            aria-expanded=${raw !== undefined}
            title="The A2A update of event ${event.id}"
            @click=${() => page.dossiers.toggleRaw(dossier, event.id)}
          >
            raw
          </button>`
        : nothing}
    </span>
    ${said ? html`<p class="words">${clip(said)}</p>` : nothing}
    ${flaws.map((flaw) => flawView(flaw))} ${raw ? fetchedTree(raw) : nothing}
  </li>`;
}

/** @param {string} flaw */
export const flawView = (flaw) =>
  html`<p class="flaw" data-tone="trouble">${icon('warning')}<span>A2A: ${flaw}</span></p>`;

/** @param {import('../client/task_details.js').Fetched} fetched */
export function fetchedTree({ phase, value }) {
  if (phase === 'loading') return html`<p class="note">Loading…</p>`;
  if (phase === 'failed') return html`<p class="error" role="alert">${value}</p>`;
  if (value === null) return html`<p class="note">The host’s own word: no update is behind it.</p>`;
  return html`<div class="json">${jsonTree(value)}</div>`;
}
