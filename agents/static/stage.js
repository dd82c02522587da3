// @ts-check
// Owns what the page knows: every task that the ticker told, and the one on stage. Pure.
// page.js feeds it rows and draws what it says.

/**
 * @typedef {object} Row one line of GET /tasks/stream
 * @property {string} task_id
 * @property {string} status
 * @property {number | null} progress
 * @property {string | null} [message]
 * @property {string | null} [result]
 *
 * @typedef {{ text: string, at_ms: number }} Said
 * @typedef {{ row: Row, said: Said[] }} Task
 *
 * @typedef {object} Stage
 * @property {Map<string, Task>} tasks by id; the finished ones only while there is room
 * @property {string | null} shown the id of the task on stage
 * @property {boolean} ours it was started from this page, which keeps it on stage
 */

const FINISHED = new Set(['completed', 'error', 'cancelled', 'rejected']);
const WAITING = new Set(['input-required', 'auth-required']);
const MAX_TASKS = 100;
const MAX_SAID = 100;

/** @returns {Stage} */
export const createStage = () => ({ tasks: new Map(), shown: null, ours: false });

/** @param {Row} row */
export const isFinished = (row) => FINISHED.has(row.status);

/** It waits for a person. @param {Row} row */
export const isWaiting = (row) => WAITING.has(row.status);

/** @param {Stage} stage @returns {Task | undefined} */
export const onStage = (stage) =>
  stage.shown === null ? undefined : stage.tasks.get(stage.shown);

/** How many tasks are open that are not on stage. @param {Stage} stage */
export function others(stage) {
  const open = [...stage.tasks.values()].filter(({ row }) => !isFinished(row));
  return open.filter(({ row }) => row.task_id !== stage.shown).length;
}

/**
 * Takes in what the ticker told. A task that is new takes the stage, unless one is on
 * it that still plays, or that this page started.
 * @param {Stage} stage @param {Row} row @param {number} now_ms
 */
export function take(stage, row, now_ms) {
  let task = stage.tasks.get(row.task_id);
  if (!task) {
    task = { row, said: [] };
    stage.tasks.set(row.task_id, task);
    const shown = onStage(stage);
    if (!shown || (isFinished(shown.row) && !stage.ours)) stage.shown = row.task_id;
    makeRoom(stage);
  }
  task.row = row;
  const text = row.message;
  if (text && text !== task.said.at(-1)?.text) {
    task.said.push({ text, at_ms: now_ms });
    if (task.said.length > MAX_SAID) task.said.shift();
  }
}

/** Puts the task on stage that this page started. @param {Stage} stage @param {string} id */
export function claim(stage, id) {
  stage.shown = id;
  stage.ours = true;
}

/** @param {Stage} stage */
function makeRoom(stage) {
  for (const [id, { row }] of stage.tasks) {
    if (stage.tasks.size <= MAX_TASKS) return;
    if (isFinished(row) && id !== stage.shown) stage.tasks.delete(id);
  }
}
