// @ts-check
// The section "Needs you": every task that waits for the user, with its question. The user
// can answer in place.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { keyOf, listWaitingTasks } from '../state/selectors.js';
import { age, clip, errorAt, hueOf, openTaskButton, titleOf } from './components.js';
import { icon } from './icons.js';
import { answerFields, onAnswer, questionOf, stopButton } from './task_controls.js';
/** @import { Page } from '../page.js' */
/** @import { Task } from '../state/types.d.ts' */

/** @param {Page} page */
export function waitingTasks(page) {
  const tasks = listWaitingTasks(page.state);
  if (tasks.length === 0) return nothing;
  const rows = tasks.map(({ row }) => row);
  return guard([page.revision, page.state.roster_version, ...rows], () => section(page, tasks));
}

/** @param {Page} page @param {Task[]} tasks */
const section = (page, tasks) =>
  html`<section class="needs" aria-labelledby="needs-title" data-frozen=${page.state.link.phase}>
    <h2 id="needs-title">
      ${icon('question')}${tasks.length === 1 ? 'Needs you' : `${tasks.length} need you`}
    </h2>
    <ul>
      ${repeat(tasks, keyOf, (task, place) => item(page, task, place))}
    </ul>
  </section>`;

/** @param {Page} page @param {Task} task @param {number} place */
function item(page, task, place) {
  const { row } = task;
  const key = keyOf(task);
  const question = questionOf(row);
  return html`<li data-hue=${hueOf(page.state.agents.get(row.agent))}>
    <form @submit=${onAnswer(page, task)}>
      <label class="question" for="reply-${place}" title=${question}>
        <b class="who">${titleOf(page, row.agent)}</b>
        <span>${clip(question)}</span>
      </label>
      ${answerFields(page, task, `reply-${place}`)} ${stopButton(page, task)}
      ${openTaskButton(page, key)} ${age(page, row.received_at)}
    </form>
    ${errorAt(page, `reply:${key}`)} ${errorAt(page, `stop:${key}`)}
  </li>`;
}
