// @ts-check
// Owns the "needs you" strip: every task of every agent that waits for a person, with
// its question, answered in place.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { waitingTasks } from '../state/selectors.js';
import { keyOf } from '../state/ui.js';
import { agentTitle } from '../state/labels.js';
import { icon } from './icons.js';
import { age, clip, errorAt } from './components.js';
import { answerFields, onAnswer, questionOf, stopButton } from './task_controls.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** @param {Page} page */
export function needsYou(page) {
  const waiting = waitingTasks(page.state);
  if (waiting.length === 0) return nothing;
  const rows = waiting.map(({ row }) => row);
  return guard([page.stamp, page.state.roster, ...rows], () => strip(page, waiting));
}

/** @param {Page} page @param {Task[]} waiting */
function strip(page, waiting) {
  return html`<section
    class="needs"
    aria-labelledby="needs-title"
    data-frozen=${page.state.link.phase}
  >
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
  const { state, controls } = page;
  const { row } = task;
  const key = keyOf(task);
  const agent = state.agents.get(row.agent);
  const title = agentTitle(agent, row.agent);
  const asks = questionOf(row);
  return html`<li data-hue=${(agent?.index ?? 0) % 8}>
    <form @submit=${onAnswer(page, task)}>
      <label class="question" for="reply-${at}" title=${asks}>
        <b class="who">${title}</b>
        <span>${clip(asks)}</span>
      </label>
      ${answerFields(page, task, `reply-${at}`)} ${stopButton(page, task)}
      <button
        type="button"
        class="quiet details"
        title="The task in full"
        aria-label="Details of this task"
        @click=${() => controls.openTask(key)}
      >
        ${icon('page')}
      </button>
      ${age(page, row.received_at)}
    </form>
    ${errorAt(page, `reply:${key}`)} ${errorAt(page, `stop:${key}`)}
  </li>`;
}
