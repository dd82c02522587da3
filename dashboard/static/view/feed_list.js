// @ts-check
// Owns the feed's list: newest on top, only the rows in sight are in the document, and
// what is being read stays where it is while new events arrive above it.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { isFiltering, matchingRows, taskKey } from '../state/selectors.js';
import { count, percent, plural, rowTime } from '../state/format.js';
import { slotsFor } from '../state/row_slots.js';
import { agentTitle, eventLabel, eventText, eventTone, shortId } from '../state/labels.js';
import { icon } from './icons.js';
import { clip } from './components.js';
import { vars } from './style_vars.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').FeedEvent} FeedEvent
 */

/** Rows drawn beyond each edge, so that a fast scroll shows no blank; few while all move. */
const OVERSCAN = 8;
const OVERSCAN_AT_TOP = 3;

/** Drawn when it moves on, or when anything but the feed has changed. @param {Page} page */
export const feedList = (page) =>
  guard([page.stamp, page.ui.list.head, page.state.epoch], () => list(page));

/** @param {Page} page */
function list(page) {
  const { state, ui, controls } = page;
  const rows = matchingRows(state.rows, ui.filter, ui.hold ?? ui.list.head);
  const newer =
    ui.hold === null ? 0 : matchingRows(state.rows, ui.filter, null).length - rows.length;
  return html`
    ${state.reset_reason === null ? nothing : resetNotice(page)}
    ${newer > 0 || ui.hold !== null ? resumePill(page, newer) : nothing}
    <div
      class="list"
      id="list"
      tabindex="0"
      role="group"
      aria-label="Events, newest first"
      @scroll=${{
        handleEvent: (/** @type {Event} */ event) =>
          controls.scrolled(/** @type {HTMLElement} */ (event.currentTarget).scrollTop),
        passive: true,
      }}
    >
      ${eventTable(page, rows, ui.list, state.has_older)} ${foot(page, rows.length)}
    </div>
  `;
}

/**
 * Events, the newest on top.
 * @param {Page} page @param {FeedEvent[]} rows oldest first
 * @param {import('../state/ui.js').Ui['list']} list @param {boolean} more whether there are older ones
 * @param {number | null} [mark] the id of a row to be found at once
 */
export function eventTable(page, rows, list, more, mark = null) {
  const today = new Date(page.host_now_ms).getDate();
  return windowed('Events', rows, list, more, (event) => event.id, (event, at) => {
    const agent = page.state.agents.get(event.agent);
    const marked = event.id === mark;
    return guard([event, at, marked, agent, agent?.row, today], () =>
      feedRow(page, event, at, marked),
    );
  });
}

/**
 * The rows in sight of a list of any length, its end on top.
 * @template T
 * @param {string} name @param {T[]} rows @param {import('../state/ui.js').Ui['table']} list
 * @param {boolean} more whether there may be others
 * @param {(row: T) => number | string} key
 * @param {(row: T, at: number) => unknown} draw `at` counts from 1
 */
export function windowed(name, rows, list, more, key, draw) {
  const { top, height, row } = list;
  const beyond = top > 0 ? OVERSCAN : OVERSCAN_AT_TOP;
  const from = Math.max(0, Math.floor(top / row) - beyond);
  const to = Math.min(rows.length, Math.ceil((top + height) / row) + beyond);
  const seen = rows.slice(rows.length - to, rows.length - from).reverse();
  const slots = slotsFor(drawn.get(list), seen.map(key));
  drawn.set(list, slots);
  return html`<div
    class="canvas"
    role="table"
    aria-label=${name}
    aria-rowcount=${more ? -1 : rows.length}
    ${vars({ '--count': rows.length })}
  >
    <div class="window" role="rowgroup" ${vars({ '--from': from })}>
      ${repeat(
        seen,
        (each) => slots.get(key(each)),
        (each, at) => draw(each, from + at + 1),
      )}
    </div>
  </div>`;
}

/** Which element each row is drawn into, by its list. @type {WeakMap<object, Map<number | string, number>>} */
const drawn = new WeakMap();

/** What is below is not what was there before, and why. @param {Page} page */
const resetNotice = ({ state, controls }) =>
  html`<p class="notice" role="status">
    ${icon('gap')}
    <span>The feed starts anew: ${state.reset_reason}.</span>
    <button class="quiet" aria-label="Dismiss" @click=${controls.dismissReset}>
      ${icon('close')}
    </button>
  </p>`;

/** @param {Page} page @param {number} newer */
const resumePill = ({ state, controls }, newer) =>
  html`<button
    class="pill"
    @click=${() => {
      document.getElementById('list')?.scrollTo({ top: 0 });
      controls.resume();
    }}
  >
    ${icon('up')}${newer > 0 ? plural(newer, 'new event') : 'Back to the newest'}
    ${state.skipped > 0 ? html`<span>· ${count(state.skipped)} skipped, load</span>` : nothing}
  </button>`;

/** @param {Page} page @param {FeedEvent} event @param {number} index @param {boolean} marked */
function feedRow(page, event, index, marked) {
  const { state, controls, host_now_ms } = page;
  const agent = state.agents.get(event.agent);
  const text = clip(eventText(event));
  const label = eventLabel(event);
  const id = 'task_id' in event ? event.task_id : null;
  const flaws = state.flaws.get(event.id);
  const open = (/** @type {string} */ name, /** @type {string} */ task) =>
    controls.openTask(taskKey(name, task));
  return html`<div
    class="row"
    role="row"
    aria-rowindex=${index}
    data-kind=${event.kind}
    data-id=${event.id}
    ?data-marked=${marked}
    @click=${() => id !== null && getSelection()?.isCollapsed && open(event.agent, id)}
  >
    <time role="cell" class="time" title=${event.received_at}>
      ${rowTime(event.received_at, host_now_ms)}
    </time>
    <span role="cell" class="agent">
      <i class="swatch" data-hue=${(agent?.index ?? 0) % 8}></i>
      ${agentTitle(agent, event.agent)}
    </span>
    <span role="cell" class="what status" data-tone=${eventTone(event)}>
      ${icon(label.icon)}${label.word}
    </span>
    <span role="cell" class="percent">
      ${event.kind === 'task' ? percent(event.progress) : ''}
    </span>
    <span role="cell" class="text" title=${flaws?.join('\n') ?? text}
      >${flaws
        ? html`<span class="flaw" role="img" aria-label="A2A: ${flaws.join(' ')}">${icon('warning')}</span>`
        : nothing}${text}</span
    >
    <span role="cell" class="id">
      ${id === null
        ? nothing
        : html`<button
            class="quiet"
            title="Task ${id} in full"
            @click=${(/** @type {Event} */ click) => {
              click.stopPropagation();
              open(event.agent, id);
            }}
          >
            ${shortId(id)}
          </button>`}
    </span>
  </div>`;
}

/** Below the last row: more of the log, or its start. @param {Page} page @param {number} shown */
function foot({ state, ui, controls }, shown) {
  if (ui.history === 'loading') return html`<p class="foot">Loading…</p>`;
  if (state.has_older) {
    return html`<p class="foot">
      ${ui.history === 'failed' ? 'The host did not give the older events. ' : nothing}
      <button @click=${controls.loadOlder}>Load older events</button>
    </p>`;
  }
  if (shown > 0) return html`<p class="foot">The log starts here.</p>`;
  if (!isFiltering(ui.filter)) return nothing;
  return html`<p class="foot">
    Nothing matches. <button @click=${controls.showAll}>Show all</button>
  </p>`;
}
