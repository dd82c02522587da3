// @ts-check
// Build lanes for the tests of the timeline.

import assert from 'node:assert/strict';

import { addUpdate, createLanes } from '../../../dashboard/static/timeline/lanes.js';
import { task } from './events.js';

/** @param {ReturnType<typeof task>[]} rows */
export function lanesOf(rows) {
  const lanes = createLanes();
  const spans = new Map();
  for (const row of rows) addUpdate(lanes, spans, row);
  return { lanes, spans };
}

/** One task: its updates in seconds, the last one its end. @param {string} id @param {number[]} seconds */
export const done = (id, ...seconds) =>
  seconds.map((s, i) =>
    task(s, { task_id: id, status: i === seconds.length - 1 ? 'completed' : 'running' }),
  );

/** @param {string} agent @param {ReturnType<typeof lanesOf>} from @returns {import('../../../dashboard/static/timeline/lanes.js').Lane} */
export function laneOf(agent, { lanes }) {
  const lane = lanes.get(agent);
  assert.ok(lane);
  return lane;
}
