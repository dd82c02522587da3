// @ts-check
// Owns the page: takes clicks to agent.js, rows to stage.js, and draws what is on stage.
// What an agent says is set as text, never as markup.

import * as agent from './agent.js';
import { claim, createStage, isFinished, isWaiting, onStage, others, take } from './stage.js';

/** What a status is called here. @type {Record<string, string>} */
const WORDS = {
  'input-required': 'needs your answer',
  'auth-required': 'needs your permission',
  error: 'failed',
};

const title = document.querySelector('h1')?.textContent ?? 'The agent';
const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (find(id));
const button = (/** @type {string} */ id) => /** @type {HTMLButtonElement} */ (find(id));

const stage = createStage();
/** @type {'connecting' | 'live' | 'lost'} */
let link = 'connecting';
let starting = false;
/** The task whose cancel is on its way. @type {string | null} */
let cancelling = null;
/** The question whose choices were asked for. @type {string | null} */
let asked = null;
/** @type {string[]} */
let choices = [];
let drawing = false;

function draw() {
  if (drawing) return;
  // At most once a frame, however fast the agent talks.
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const task = onStage(stage);
    drawLink();
    drawControls(task?.row);
    drawProgress(task);
    drawQuestion(task?.row);
    drawResult(task?.row);
  });
}

function drawLink() {
  const said = {
    connecting: 'connecting…',
    live: 'live',
    lost: `Connection to ${title} lost, trying again…`,
  }[link];
  if (find('link').textContent !== said) find('link').textContent = said;
  find('link').dataset.tone = link;
  document.body.dataset.link = link;
}

/** @param {import('./stage.js').Row} [row] */
function drawControls(row) {
  const open = row !== undefined && !isFinished(row);
  const stopping = open && cancelling === row.task_id;
  button('start-button').disabled = link !== 'live' || starting;
  button('cancel-button').disabled = link !== 'live' || !open || stopping;
  button('cancel-button').textContent = stopping ? 'Cancelling…' : 'Cancel';
}

/** @param {import('./stage.js').Task} [task] */
function drawProgress(task) {
  const row = task?.row;
  find('status').textContent = row ? (WORDS[row.status] ?? row.status) : 'nothing started yet';
  find('progress-area').dataset.tone = row?.status ?? '';
  const percent = row?.progress ?? null;
  find('percent').textContent = percent === null ? '' : `${percent} %`;
  const more = others(stage);
  find('others').textContent = more ? `${more} more open` : '';
  const bar = /** @type {HTMLProgressElement} */ (find('progress-bar'));
  // How far it is is not known, or never will be; nothing is made up.
  if (row && percent === null && !isFinished(row)) bar.removeAttribute('value');
  else bar.value = percent ?? 0;
  drawSaid(task?.said ?? []);
}

/** Only what is new is added, so that it alone is read out. @param {import('./stage.js').Said[]} said */
function drawSaid(said) {
  const list = find('status-messages');
  const first = `${stage.shown}/${said[0]?.at_ms}`;
  if (list.dataset.first !== first) list.replaceChildren();
  list.dataset.first = first;
  for (const { text, at_ms } of said.slice(list.children.length)) {
    const time = document.createElement('time');
    time.textContent = new Date(at_ms).toLocaleTimeString([], { hour12: false });
    const words = document.createElement('span');
    words.textContent = text;
    const line = document.createElement('li');
    line.append(time, words);
    list.append(line);
    list.scrollTop = list.scrollHeight;
  }
}

/** @param {import('./stage.js').Row} [row] */
function drawQuestion(row) {
  const waiting = row !== undefined && isWaiting(row);
  const question = waiting ? `${row.task_id}/${row.message}` : null;
  find('reply').hidden = !waiting;
  if (question === asked) return;
  asked = question;
  choices = [];
  drawChoices();
  if (row && question) {
    agent.get(row.task_id).then((task) => {
      if (asked !== question) return;
      choices = agent.choicesOf(task);
      drawChoices();
    }, fail);
  }
}

function drawChoices() {
  const offered = choices.map((choice) => {
    const offer = document.createElement('button');
    offer.type = 'button';
    offer.textContent = choice;
    offer.addEventListener('click', () => reply(choice));
    return offer;
  });
  find('choices').replaceChildren(...offered);
}

/** @param {import('./stage.js').Row} [row] */
function drawResult(row) {
  if (!row) return;
  const none = isFinished(row) ? 'None.' : 'Not there yet.';
  const text = row.status === 'completed' ? (row.result ?? '') : none;
  const result = find('result');
  if (result.textContent !== text) result.textContent = text;
  find('results').dataset.tone = row.status;
}

/** @param {unknown} [error] */
function fail(error) {
  const said = error instanceof Error ? error.message : '';
  find('error').textContent = said;
  find('error').hidden = !said;
}

/** @param {Promise<unknown>} doing */
async function attempt(doing) {
  fail();
  try {
    await doing;
  } catch (error) {
    fail(error);
  }
  draw();
}

async function start() {
  const skill = /** @type {HTMLInputElement} */ (document.querySelector('[name=skill]:checked'));
  starting = true;
  draw();
  try {
    const answer = await agent.send(input('words').value, { skillId: skill.value });
    // An agent that answers with a message alone has no task to follow.
    const result = agent.textOf(answer.message?.parts);
    const row = answer.task
      ? { task_id: answer.task.id, status: 'submitted', progress: null }
      : { task_id: '', status: 'completed', progress: null, result };
    // The ticker may have told more of it already.
    if (!answer.task || !stage.tasks.has(row.task_id)) take(stage, row, Date.now());
    claim(stage, row.task_id);
  } finally {
    starting = false;
  }
}

/** @param {string} text */
async function reply(text) {
  const taskId = stage.shown ?? '';
  input('answer').value = '';
  await attempt(agent.send(text, { taskId }));
}

async function cancel() {
  const id = stage.shown ?? '';
  cancelling = id;
  draw();
  try {
    await agent.cancel(id);
  } catch (error) {
    const row = onStage(stage)?.row;
    if (row && !isFinished(row)) throw error;
  } finally {
    cancelling = null;
  }
}

/** What became of the open task on stage while the line was lost, or while the agent was. */
async function repair() {
  const task = onStage(stage);
  if (!task || isFinished(task.row)) return;
  const id = task.row.task_id;
  try {
    const last = agent.lastRow(await agent.get(id));
    if (last) take(stage, last, Date.now());
  } catch (error) {
    if (!(error instanceof agent.UnknownTask)) throw error;
    const message = `${title} was restarted and no longer knows this task.`;
    take(stage, { task_id: id, status: 'error', progress: task.row.progress, message }, Date.now());
  }
}

for (const choice of /** @type {NodeListOf<HTMLInputElement>} */ (
  document.querySelectorAll('[name=skill]')
)) {
  choice.addEventListener('change', () => (input('words').value = choice.dataset.example ?? ''));
  if (choice.checked) input('words').value = choice.dataset.example ?? '';
}
find('start').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(start());
});
find('cancel-button').addEventListener('click', () => attempt(cancel()));
find('reply').addEventListener('submit', (event) => {
  event.preventDefault();
  reply(input('answer').value);
});
find('curl').textContent = `curl -N ${new URL('./tasks/stream', location.href).href}`;

agent.follow({
  row(row) {
    take(stage, row, Date.now());
    draw();
  },
  link(now) {
    const back = link === 'lost' && now === 'live';
    link = now;
    if (back) attempt(repair());
    draw();
  },
});
