// @ts-check
// Keeps the tasks that the page knows, and which of them it shows. Pure.

/**
 * @typedef {object} Row one event of GET /tasks/stream
 * @property {string} task_id
 * @property {string} status
 * @property {number | null} progress
 * @property {string | null} [message]
 * @property {string | null} [result]
 *
 * @typedef {{ text: string, at_ms: number }} Message
 * @typedef {{ row: Row, messages: Message[] }} Task
 *
 * @typedef {object} State
 * @property {Map<string, Task>} tasks by id; old finished ones are dropped
 * @property {string | null} selectedId the task that the page shows
 * @property {boolean} isOwn this page started that task, so it stays selected
 */

const FINISHED = new Set(['completed', 'error', 'cancelled', 'rejected']);
const WAITING = new Set(['input-required', 'auth-required']);
const MAX_TASKS = 100;
const MAX_MESSAGES = 100;

/** @returns {State} */
export const createState = () => ({ tasks: new Map(), selectedId: null, isOwn: false });

/** @param {Row} row */
export const isFinished = (row) => FINISHED.has(row.status);

/** Does the task wait for a person? @param {Row} row */
export const isWaiting = (row) => WAITING.has(row.status);

/** @param {State} state @returns {Task | undefined} */
export const getSelected = ({ tasks, selectedId }) => tasks.get(selectedId ?? '');

/** Counts the open tasks that are not selected. @param {State} state */
export const countOthers = ({ tasks, selectedId }) =>
  [...tasks].filter(([id, { row }]) => !isFinished(row) && id !== selectedId).length;

/**
 * Adds a row. A new task becomes the selected one, unless the selected task is open or
 * this page started it.
 * @param {State} state @param {Row} row @param {number} now_ms
 */
export function addRow(state, row, now_ms) {
  const task = state.tasks.get(row.task_id) ?? addTask(state, row);
  task.row = row;
  const text = row.message;
  if (text && text !== task.messages.at(-1)?.text) {
    task.messages.push({ text, at_ms: now_ms });
    if (task.messages.length > MAX_MESSAGES) task.messages.shift();
  }
}

/** Selects a task that this page started. @param {State} state @param {string} id */
export function selectOwn(state, id) {
  state.selectedId = id;
  state.isOwn = true;
}

/** @param {State} state @param {Row} row @returns {Task} */
function addTask(state, row) {
  const task = { row, messages: [] };
  const selected = getSelected(state);
  if (!selected || (isFinished(selected.row) && !state.isOwn)) state.selectedId = row.task_id;
  state.tasks.set(row.task_id, task);
  for (const [id, old] of state.tasks) {
    if (state.tasks.size <= MAX_TASKS) break;
    if (isFinished(old.row) && id !== state.selectedId) state.tasks.delete(id);
  }
  return task;
}
