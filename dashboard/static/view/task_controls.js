// @ts-check
// Owns the two things that a person says to a task, wherever it is shown: the answer to
// its question, and stop.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { plural } from '../state/format.js';
import { isPending, keyOf } from '../state/ui.js';
import { icon } from './icons.js';
import { clip } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** @param {Task['row']} row */
export const questionOf = (row) =>
  row.message || (row.status === 'auth-required' ? 'Please sign in.' : 'No question.');

/**
 * The choices that the agent offers, and a field for any other answer: the inside of a form.
 * @param {Page} page @param {Task} task @param {string} id of the field
 */
export function answerFields({ ui, controls }, task, id) {
  const key = keyOf(task);
  const busy = isPending(ui, 'reply', key) || isPending(ui, 'stop', key);
  const { choices } = task.row;
  return html`${choices
      ? html`<span class="choices" role="group" aria-label="Answers">
          ${choices.map(
            (choice) =>
              html`<button
                type="button"
                title=${choice}
                ?disabled=${busy}
                @click=${() => controls.reply(task, choice)}
              >
                ${clip(choice)}
              </button>`,
          )}
        </span>`
      : nothing}
    <input
      id=${id}
      name="text"
      required
      autocomplete="off"
      placeholder=${choices ? 'Or in your words' : 'Your answer'}
      data-task=${key}
    />
    <button class="primary" ?disabled=${busy}>
      ${icon('reply')}${isPending(ui, 'reply', key) ? 'Sending…' : 'Reply'}
    </button>`;
}

/** Sends what is in the form's field. @param {Page} page @param {Task} task */
export const onAnswer = ({ controls }, task) =>
  async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('text'));
    if (await controls.reply(task, field.value.trim())) form.reset();
  };

/** Asks only where others would be stopped, too. @param {Page} page @param {Task} task */
export function stopButton({ ui, controls }, task) {
  const key = keyOf(task);
  const stopping = isPending(ui, 'stop', key);
  if (ui.asking?.key === key && !stopping) {
    return html`<span class="asks" role="group" aria-label="Stop it?">
      <button type="button" class="danger" @click=${() => controls.stop(task)}>
        Stop ${plural(ui.asking.others, 'task')} of others, too
      </button>
      <button type="button" @click=${() => controls.ask(null)}>Keep</button>
    </span>`;
  }
  return html`<button
    type="button"
    class="stop"
    ?disabled=${stopping}
    @click=${() => controls.stop(task)}
  >
    ${icon('stop')}${stopping ? 'Stopping…' : 'Stop'}
  </button>`;
}
