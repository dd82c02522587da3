// @ts-check
// The controls of an open task, wherever it is shown: the answer to its question, and Stop.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { plural } from '../state/format.js';
import { rowText } from '../state/labels.js';
import { keyOf } from '../state/selectors.js';
import { isPending } from '../state/ui.js';
import { clip, fieldOf, formOf } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Task, TaskEvent } from '../state/types.d.ts' */

/** @param {TaskEvent} row */
export const questionOf = (row) =>
  rowText(row, 'message') || (row.status === 'auth-required' ? 'Please sign in.' : 'The agent sent no question.');

/**
 * The content of a form: buttons for the agent's choices, and a field for other answers.
 * @param {Page} page @param {Task} task @param {string} id of the field
 */
export function answerFields({ ui, controls }, task, id) {
  const key = keyOf(task);
  const is_busy = isPending(ui, 'reply', key) || isPending(ui, 'stop', key);
  const { choices } = task.row;
  return html`${choices
      ? html`<span class="choices" role="group" aria-label="Answers">
          ${choices.map(
            (choice) =>
              html`<button
                type="button"
                title=${choice}
                ?disabled=${is_busy}
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
      placeholder=${choices ? 'Another answer' : 'Your answer'}
      data-task=${key}
    />
    <button class="primary" ?disabled=${is_busy}>
      ${icon('reply')}${isPending(ui, 'reply', key) ? 'Sending…' : 'Reply'}
    </button>`;
}

/** A listener that sends the form's text. @param {Page} page @param {Task} task */
export const onAnswer = ({ controls }, task) =>
  async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = formOf(event);
    if (await controls.reply(task, fieldOf(form, 'text').value.trim())) form.reset();
  };

/** It asks first if Stop also ends tasks of other agents. @param {Page} page @param {Task} task */
export function stopButton({ ui, controls }, task) {
  const key = keyOf(task);
  const is_stopping = isPending(ui, 'stop', key);
  if (ui.confirming_stop?.key === key && !is_stopping) {
    return html`<span class="asks" role="group" aria-label="Stop this task?">
      <button type="button" class="danger" @click=${() => controls.stop(task)}>
        Stop, with ${plural(ui.confirming_stop.others, 'other task')}
      </button>
      <button type="button" @click=${controls.keepRunning}>Keep running</button>
    </span>`;
  }
  return html`<button
    type="button"
    class="stop"
    ?disabled=${is_stopping}
    @click=${() => controls.stop(task)}
  >
    ${icon('stop')}${is_stopping ? 'Stopping…' : 'Stop'}
  </button>`;
}
