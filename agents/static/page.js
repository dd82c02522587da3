// @ts-check
// Draws the page and handles its clicks. The agent's texts are set as text, not markup.

import * as agent from './agent.js';
import {
  addRow,
  countOthers,
  createState,
  getSelected,
  isFinished,
  isWaiting,
  selectOwn,
} from './tasks.js';

/** How the page calls a status. @type {Record<string, string>} */
const STATUS_TEXTS = {
  'input-required': 'needs your answer',
  'auth-required': 'needs your permission',
  error: 'failed',
};

const title = document.querySelector('h1')?.textContent ?? 'The agent';
const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (find(id));
const button = (/** @type {string} */ id) => /** @type {HTMLButtonElement} */ (find(id));

const getSkill = () => /** @type {HTMLInputElement} */ (document.querySelector('[name=skill]:checked'));

const state = createState();
/** @type {'connecting' | 'live' | 'lost'} */
let link = 'connecting';
let isStarting = false;
/** The task that is being cancelled. @type {string | null} */
let cancellingId = null;
/** The task and question whose choices are drawn. @type {string | null} */
let drawnQuestion = null;
let isDrawing = false;

function draw() {
  if (isDrawing) return;
  // At most once per frame, however many updates arrive.
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const task = getSelected(state);
    drawLink();
    drawControls(task?.row);
    drawProgress(task);
    drawQuestion(task?.row);
    drawResult(task?.row);
  });
}

function drawLink() {
  const text = {
    connecting: 'connecting…',
    live: 'live',
    lost: `Connection to ${title} lost, trying again…`,
  }[link];
  setText('link', text);
  find('link').dataset.tone = link;
  document.body.dataset.link = link;
}

/** @param {import('./tasks.js').Row} [row] */
function drawControls(row) {
  const open = row !== undefined && !isFinished(row);
  const stopping = open && cancellingId === row.task_id;
  button('start-button').disabled = link !== 'live' || isStarting;
  button('cancel-button').disabled = link !== 'live' || !open || stopping;
  button('cancel-button').textContent = stopping ? 'Cancelling…' : 'Cancel';
}

/** @param {import('./tasks.js').Task} [task] */
function drawProgress(task) {
  const row = task?.row;
  find('status').textContent = row ? (STATUS_TEXTS[row.status] ?? row.status) : 'nothing started yet';
  find('progress-area').dataset.tone = row?.status ?? '';
  const percent = row?.progress ?? null;
  find('percent').textContent = percent === null ? '' : `${percent} %`;
  const more = countOthers(state);
  find('others').textContent = more ? `${more} more open` : '';
  const bar = /** @type {HTMLProgressElement} */ (find('progress-bar'));
  // Without a percentage the bar shows no value.
  if (row && percent === null && !isFinished(row)) bar.removeAttribute('value');
  else bar.value = percent ?? 0;
  drawMessages(task?.messages ?? []);
}

/** Adds only new lines: a screen reader reads them. @param {import('./tasks.js').Message[]} messages */
function drawMessages(messages) {
  const list = find('status-messages');
  const first = `${state.selectedId}/${messages[0]?.at_ms}`;
  if (list.dataset.first !== first) list.replaceChildren();
  list.dataset.first = first;
  for (const { text, at_ms } of messages.slice(list.children.length)) {
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

/** @param {import('./tasks.js').Row} [row] */
function drawQuestion(row) {
  const waiting = row !== undefined && isWaiting(row);
  const question = waiting ? `${row.task_id}/${row.message}` : null;
  find('reply').hidden = !waiting;
  if (question === drawnQuestion) return;
  drawnQuestion = question;
  find('choices').replaceChildren();
  if (row && question) {
    agent.getTask(row.task_id).then((task) => {
      if (question === drawnQuestion) drawChoices(agent.getChoices(task));
    }, showError);
  }
}

/** @param {string[]} choices */
function drawChoices(choices) {
  const buttons = choices.map((choice) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = choice;
    button.addEventListener('click', () => reply(choice));
    return button;
  });
  find('choices').replaceChildren(...buttons);
}

/** @param {import('./tasks.js').Row} [row] */
function drawResult(row) {
  if (!row) return;
  const none = isFinished(row) ? 'None.' : 'Not there yet.';
  const text = row.status === 'completed' ? (row.result ?? '') : none;
  setText('result', text);
  find('results').dataset.tone = row.status;
}

/** Screen readers read a text again when it is set. @param {string} id @param {string} text */
function setText(id, text) {
  if (find(id).textContent !== text) find(id).textContent = text;
}

/** @param {unknown} [error] */
function showError(error) {
  const text = error instanceof Error ? error.message : '';
  find('error').textContent = text;
  find('error').hidden = !text;
}

/** Shows the error if the action fails. @param {Promise<unknown>} action */
async function run(action) {
  showError();
  await action.catch(showError);
  draw();
}

async function start() {
  isStarting = true;
  draw();
  try {
    const answer = await agent.send(input('words').value, { skillId: getSkill().value });
    // An agent may answer with a message, without a task.
    const result = agent.getText(answer.message?.parts);
    const row = answer.task
      ? { task_id: answer.task.id, status: 'submitted', progress: null }
      : { task_id: '', status: 'completed', progress: null, result };
    // The stream may have sent newer rows of the task already.
    if (!answer.task || !state.tasks.has(row.task_id)) addRow(state, row, Date.now());
    selectOwn(state, row.task_id);
  } finally {
    isStarting = false;
  }
}

/** @param {string} text */
async function reply(text) {
  const taskId = state.selectedId ?? '';
  input('answer').value = '';
  await run(agent.send(text, { taskId }));
}

async function cancel() {
  const id = state.selectedId ?? '';
  cancellingId = id;
  draw();
  try {
    await agent.cancelTask(id);
  } catch (error) {
    const row = getSelected(state)?.row;
    if (row && !isFinished(row)) throw error;
  } finally {
    cancellingId = null;
  }
}

/** Reads what became of the selected task while the connection was lost. */
async function refreshSelected() {
  const task = getSelected(state);
  if (!task || isFinished(task.row)) return;
  const id = task.row.task_id;
  try {
    const last = agent.buildLastRow(await agent.getTask(id));
    if (last) addRow(state, last, Date.now());
  } catch (error) {
    if (!(error instanceof agent.UnknownTaskError)) throw error;
    const message = `${title} was restarted and no longer knows this task.`;
    addRow(state, { task_id: id, status: 'error', progress: task.row.progress, message }, Date.now());
  }
}

function useExample() {
  input('words').value = getSkill().dataset.example ?? '';
}

document.querySelector('fieldset')?.addEventListener('change', useExample);
useExample();
find('start').addEventListener('submit', (event) => {
  event.preventDefault();
  run(start());
});
find('cancel-button').addEventListener('click', () => run(cancel()));
find('reply').addEventListener('submit', (event) => {
  event.preventDefault();
  reply(input('answer').value);
});
find('curl').textContent = `curl -N ${new URL('./tasks/stream', location.href).href}`;

agent.follow({
  row(row) {
    addRow(state, row, Date.now());
    draw();
  },
  link(newLink) {
    const isBack = link === 'lost' && newLink === 'live';
    link = newLink;
    if (isBack) run(refreshSelected());
    draw();
  },
});
