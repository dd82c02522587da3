// @ts-check
// The feed: a table of events, newest first. The rows that the user reads stay in place
// while new events arrive above them.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { formatCount, formatPercent, formatRowTime, plural } from '../state/format.js';
import { eventLabel, eventText, eventTone, shortId } from '../state/labels.js';
import { isFiltering, listRows, taskKey } from '../state/selectors.js';
import { clip, idButton, openOnClick, scrollBox, swatch, titleOf } from './components.js';
import { icon } from './icons.js';
import { virtualList } from './virtual_list.js';
/** @import { Page } from '../page.js' */
/** @import { FeedEvent } from '../state/types.d.ts' */
/** @import { Scroll } from '../state/ui.js' */

/** @param {Page} page */
export const feedList = (page) =>
  guard([page.revision, page.ui.list.head, page.state.epoch], () => list(page));

/** @param {Page} page */
function list(page) {
  const { state, ui, controls } = page;
  const rows = listRows(state.rows, ui.filter, ui.hold ?? ui.list.head);
  const newer = ui.hold === null ? 0 : listRows(state.rows, ui.filter, null).length - rows.length;
  return html`
    ${state.reset_reason === null ? nothing : resetNotice(page)}
    ${newer > 0 || ui.hold !== null ? resumePill(page, newer) : nothing}
    ${scrollBox('list', 'Events, newest first', controls.scrollFeed, [
      eventTable(page, rows, ui.list, state.has_older),
      foot(page, rows.length),
    ])}
  `;
}

/**
 * @param {Page} page @param {FeedEvent[]} rows oldest first @param {Scroll} scroll
 * @param {boolean} is_partial true if there are older events
 * @param {number | null} [mark] the id of a row to highlight
 */
export function eventTable(page, rows, scroll, is_partial, mark = null) {
  const today = new Date(page.host_now_ms).getDate();
  return virtualList({
    name: 'Events',
    rows,
    scroll,
    is_partial,
    keyOf: (event) => event.id,
    draw(event, place) {
      const agent = page.state.agents.get(event.agent);
      const is_marked = event.id === mark;
      return guard([event, place, is_marked, agent, agent?.row, today], () =>
        eventRow(page, event, place, is_marked),
      );
    },
  });
}

/** @param {Page} page */
const resetNotice = ({ state, controls }) =>
  html`<p class="notice" role="status">
    ${icon('gap')}
    <span>The feed was loaded again: ${state.reset_reason}.</span>
    <button class="quiet" aria-label="Dismiss" @click=${controls.dismissReset}>
      ${icon('close')}
    </button>
  </p>`;

/** @param {Page} page @param {number} newer */
const resumePill = ({ state, controls }, newer) =>
  html`<button class="pill" @click=${controls.resume}>
    ${icon('up')}${newer > 0 ? plural(newer, 'new event') : 'Back to the newest'}
    ${state.skipped > 0 ? html`<span>· ${formatCount(state.skipped)} skipped, load</span>` : nothing}
  </button>`;

/** @param {Page} page @param {FeedEvent} event @param {number} place @param {boolean} is_marked */
function eventRow(page, event, place, is_marked) {
  const { state, host_now_ms } = page;
  const { agent, received_at } = event;
  const text = clip(eventText(event));
  const label = eventLabel(event);
  const task_id = 'task_id' in event ? event.task_id : null;
  const key = taskKey(agent, task_id ?? '');
  const flaws = state.flaws.get(event.id);
  return html`<div
    class="row"
    role="row"
    aria-rowindex=${place}
    data-kind=${event.kind}
    data-id=${event.id}
    ?data-marked=${is_marked}
    @click=${task_id === null ? null : openOnClick(page, key)}
  >
    <time role="cell" class="time" title=${received_at}>
      ${formatRowTime(received_at, host_now_ms)}
    </time>
    <span role="cell" class="agent">${swatch(state.agents.get(agent))} ${titleOf(page, agent)}</span>
    <span role="cell" class="what status" data-tone=${eventTone(event)}>
      ${icon(label.icon)}${label.word}
    </span>
    <span role="cell" class="percent">
      ${event.kind === 'task' ? formatPercent(event.progress) : ''}
    </span>
    <span role="cell" class="text" title=${flaws?.join('\n') ?? text}
      >${flaws
        ? html`<span class="flaw" role="img" aria-label="A2A: ${flaws.join(' ')}">${icon('warning')}</span>`
        : nothing}${text}</span
    >
    <span role="cell" class="id">
      ${task_id === null ? nothing : idButton(page, key, task_id, shortId(task_id))}
    </span>
  </div>`;
}

/** What follows the last row. @param {Page} page @param {number} count */
function foot({ state, ui, controls }, count) {
  if (ui.older_events === 'loading') return html`<p class="foot">Loading…</p>`;
  if (state.has_older) {
    return html`<p class="foot">
      ${ui.older_events === 'failed' ? 'Cannot load older events. ' : nothing}
      <button @click=${controls.loadOlder}>Load older events</button>
    </p>`;
  }
  if (count > 0) return html`<p class="foot">Start of the log.</p>`;
  if (!isFiltering(ui.filter)) return nothing;
  return html`<p class="foot">
    No event matches. <button @click=${controls.showAll}>Show all</button>
  </p>`;
}
