// @ts-check
// Owns the "needs you" strip: every task of every agent that waits for a person, with
// its question, answered in place.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { waitingTasks } from '../board.js';
import { isPending, keyOf } from '../ui.js';
import { agentTitle } from '../words.js';
import { icon } from './icons.js';
import { age, clip, errorAt } from './parts.js';

/**
 * @typedef {import('../view.js').Page} Page
 * @typedef {import('../types.d.ts').Task} Task
 */

/** @param {Page} page */
export function needsYou(page) {
  const waiting = waitingTasks(page.state);
  if (waiting.length === 0) return nothing;
  return html`<section class="needs" aria-labelledby="needs-title">
    <h2 id="needs-title">
      ${icon('question')}${waiting.length === 1 ? 'Needs you' : `${waiting.length} need you`}
    </h2>
    <ul>
      ${repeat(waiting, keyOf, (task, at) => item(page, task, at))}
    </ul>
  </section>`;
}

/** @param {Page} page @param {Task} task @param {number} at */
function item(page, task, at) {
  const { state, ui, controls } = page;
  const { row } = task;
  const key = keyOf(task);
  const agent = state.agents.get(row.agent);
  const title = agentTitle(agent, row.agent);
  const sending = isPending(ui, 'reply', key);
  const stopping = isPending(ui, 'stop', key);
  const asks =
    row.message || (row.status === 'auth-required' ? 'Please sign in.' : 'No question.');

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('text'));
    if (await controls.reply(task, field.value.trim())) form.reset();
  }

  return html`<li data-hue=${(agent?.index ?? 0) % 8}>
    <form @submit=${submit}>
      <label class="question" for="reply-${at}" title=${asks}>
        <b class="who">${title}</b>
        <span>${clip(asks)}</span>
      </label>
      <input
        id="reply-${at}"
        name="text"
        required
        autocomplete="off"
        placeholder="Your answer"
        data-task=${key}
      />
      <button class="primary" ?disabled=${sending || stopping}>
        ${icon('reply')}${sending ? 'Sending…' : 'Reply'}
      </button>
      <button
        type="button"
        ?disabled=${stopping}
        @click=${() => controls.stop(task)}
      >
        ${stopping ? 'Stopping…' : 'Stop'}
      </button>
      ${age(page, row.received_at)}
    </form>
    ${errorAt(page, `reply:${key}`)}
  </li>`;
}
