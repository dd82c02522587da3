// @ts-check
// Owns what the drawer knows of the tasks it shows: their events from the log and live,
// what they have made, and, fetched when it is looked at, what only the host can tell.
// view/drawer.js draws it; main.js feeds it.

import { addChunk } from '../state/artifacts.js';
import { taskKey } from '../state/selectors.js';
import { lint, lintRaw, unseen } from '../state/lint.js';
import { isWaiting } from '../state/store.js';

/**
 * @typedef {import('../state/types.d.ts').State} State
 * @typedef {import('../state/types.d.ts').FeedEvent} FeedEvent
 * @typedef {import('../state/types.d.ts').TaskEvent} TaskEvent
 * @typedef {ReturnType<typeof createDossiers>} Dossiers
 *
 * @typedef {object} Fetched
 * @property {'loading' | 'there' | 'failed'} phase
 * @property {any} value what came, or why nothing did
 *
 * @typedef {object} Dossier one task
 * @property {string} key `agent/task_id`
 * @property {string} agent
 * @property {string} task_id
 * @property {TaskEvent | null} row
 * @property {FeedEvent[]} events the newest of them, oldest first
 * @property {number} left_out how many older ones are not among them
 * @property {Map<string, import('../state/artifacts.js').Artifact>} artifacts
 * @property {Map<number, string[]>} flaws by the id of the event
 * @property {'loading' | 'there' | 'failed'} phase
 * @property {import('../state/task_steps.js').Message[]} history
 * @property {Map<number, Fetched>} raw the A2A updates that were looked at
 * @property {Fetched | null} card
 * @property {any} last the newest status update as it came
 * @property {number} version grows with each change
 */

/** What one answer of the host may hold, and then what a drawer keeps. */
const MAX_FETCHED = 10_000;
const MAX_EVENTS = 2_000;
/** The newest raw update is looked at as often, for its trackers. */
const LAST_MS = 500;

/**
 * @param {State} state @param {import('../state/ui.js').Ui} ui @param {() => void} redraw
 * @param {typeof fetch} [ask]
 */
export function createDossiers(state, ui, redraw, ask = (...all) => fetch(...all)) {
  /** @type {Map<string, Dossier>} */
  const open = new Map();
  /** The log that they are of. */
  let epoch = state.epoch;

  /** @param {Dossier} dossier */
  function touch(dossier) {
    dossier.version += 1;
    redraw();
  }

  /** @param {string} path @param {Record<string, string>} [headers] */
  async function text(path, headers) {
    const response = await ask(path, { headers });
    const body = await response.text();
    if (!response.ok) throw new Error(body.slice(0, 300) || `The host answered ${response.status}.`);
    return body;
  }

  /** @param {string} key */
  function begin(key) {
    const [agent] = key.split('/', 1);
    /** @type {Dossier} */
    const dossier = {
      ...{ key, agent, task_id: key.slice(agent.length + 1), row: null, events: [], left_out: 0 },
      ...{ artifacts: new Map(), flaws: new Map(), phase: 'loading', history: [], raw: new Map() },
      ...{ card: null, last: null, version: 0 },
    };
    open.set(key, dossier);
    if (state.link.phase === 'recording') {
      fold(dossier, state.rows.filter((row) => isOf(dossier, row)), 0);
      dossier.phase = 'there';
    } else void load(dossier);
  }

  /** @param {Dossier} dossier */
  async function load(dossier) {
    dossier.phase = 'loading';
    const query = new URLSearchParams({ agent: dossier.agent, task: dossier.task_id });
    try {
      const lines = await text(`feed.ndjson?${query}&limit=${MAX_FETCHED}`);
      const events = lines.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
      const last = events[events.length - 1]?.id ?? 0;
      // What came live meanwhile is behind them.
      const live = dossier.events.filter(({ id }) => id > last);
      Object.assign(dossier, { events: [], artifacts: new Map(), flaws: new Map(), row: null });
      fold(dossier, events.concat(live), events.length === MAX_FETCHED ? 1 : 0);
      dossier.phase = 'there';
      void lookAtLast(dossier);
      void hear(dossier);
    } catch {
      dossier.phase = 'failed';
    }
    touch(dossier);
  }

  /** @param {Dossier} dossier @param {FeedEvent[]} events from its first on @param {number} before how many came before */
  function fold(dossier, events, before) {
    seen.set(dossier, unseen());
    if (before > 0) /** @type {import('../state/lint.js').Seen} */ (seen.get(dossier)).isAll = false;
    dossier.left_out = before;
    for (const event of events) add(dossier, event);
  }

  /** @param {Dossier} dossier @param {FeedEvent} event */
  function add(dossier, event) {
    const found = lint(/** @type {import('../state/lint.js').Seen} */ (seen.get(dossier)), event);
    if (found.length > 0) dossier.flaws.set(event.id, found);
    if (event.kind === 'task') dossier.row = event;
    else if (event.kind === 'artifact') addChunk(dossier.artifacts, event);
    dossier.events.push(event);
    if (dossier.events.length > MAX_EVENTS * 1.2) {
      dossier.left_out += dossier.events.length - MAX_EVENTS;
      dossier.events.splice(0, dossier.events.length - MAX_EVENTS);
    }
  }

  /** What was said on both sides, from the agent; else as the task began. @param {Dossier} dossier */
  async function hear(dossier) {
    const { agent, task_id, events } = dossier;
    const path = `a2a/${encodeURIComponent(agent)}/tasks/${encodeURIComponent(task_id)}`;
    try {
      dossier.history = JSON.parse(await text(path, { 'a2a-version': '1.0' })).history ?? [];
    } catch {
      const first = events.find(({ kind }) => kind === 'task');
      const raw = first && (await rawOf(first.id).catch(() => null));
      if (dossier.history.length === 0) dossier.history = raw?.task?.history ?? [];
    }
    touch(dossier);
  }

  /** @param {number} id */
  const rawOf = async (id) => JSON.parse(await text(`feed/${id}`)).raw;

  /** The newest status as it came: its trackers are in no event. @param {Dossier} dossier */
  async function lookAtLast(dossier) {
    const { row } = dossier;
    if (!row || looking.has(dossier)) return;
    looking.add(dossier);
    try {
      dossier.last = await rawOf(row.id);
      const back = lintRaw(row, dossier.last);
      if (back.length > 0) dossier.flaws.set(row.id, [...(dossier.flaws.get(row.id) ?? []), ...back]);
    } catch {
      // The drawer does without.
    }
    touch(dossier);
    setTimeout(() => {
      looking.delete(dossier);
      if (dossier.row !== row && open.get(dossier.key) === dossier) void lookAtLast(dossier);
    }, LAST_MS);
  }
  /** @type {Set<Dossier>} */
  const looking = new Set();
  /** @type {WeakMap<Dossier, import('../state/lint.js').Seen>} */
  const seen = new WeakMap();

  /**
   * Fetches once what somebody looks at.
   * @param {Dossier} dossier @param {(fetched: Fetched) => void} keep
   * @param {() => Promise<any>} run
   */
  async function look(dossier, keep, run) {
    /** @type {Fetched} */
    const fetched = { phase: 'loading', value: null };
    keep(fetched);
    touch(dossier);
    try {
      Object.assign(fetched, { phase: 'there', value: await run() });
    } catch (error) {
      Object.assign(fetched, { phase: 'failed', value: String(error instanceof Error ? error.message : error) });
    }
    touch(dossier);
  }

  return {
    open,

    /** Opens what the URL names, and forgets what it names no more. */
    settle() {
      if (epoch !== state.epoch) open.clear();
      epoch = state.epoch;
      for (const key of open.keys()) if (!ui.filter.show.includes(key)) open.delete(key);
      for (const key of ui.filter.show) if (!open.has(key)) begin(key);
    },

    /** A live event. @param {FeedEvent} event */
    note(event) {
      const dossier = 'task_id' in event && open.get(taskKey(event.agent, event.task_id));
      if (!dossier) return;
      if (dossier.phase !== 'there') {
        dossier.events.push(event);
        return;
      }
      if (event.id <= (dossier.events[dossier.events.length - 1]?.id ?? 0)) return;
      const waited = dossier.row && isWaiting(dossier.row);
      add(dossier, event);
      if (event.kind === 'task') {
        void lookAtLast(dossier);
        if (waited) void hear(dossier);
      }
      dossier.version += 1;
    },

    /** The log may have moved on without us. */
    forget() {
      for (const dossier of open.values()) void load(dossier);
    },

    /** @param {Dossier} dossier */
    again: (dossier) => load(dossier),

    /** Shows or hides the A2A update behind an event. @param {Dossier} dossier @param {number} id */
    toggleRaw(dossier, id) {
      if (dossier.raw.delete(id)) return touch(dossier);
      void look(dossier, (fetched) => dossier.raw.set(id, fetched), () => rawOf(id));
    },

    /** @param {Dossier} dossier */
    lookAtCard(dossier) {
      if (dossier.card && dossier.card.phase !== 'failed') return;
      const path = `a2a/${encodeURIComponent(dossier.agent)}/.well-known/agent-card.json`;
      void look(
        dossier,
        (fetched) => (dossier.card = fetched),
        async () => JSON.parse(await text(path)),
      );
    },
  };

  /** @param {Dossier} dossier @param {FeedEvent} event */
  function isOf({ agent, task_id }, event) {
    return event.agent === agent && 'task_id' in event && event.task_id === task_id;
  }
}
