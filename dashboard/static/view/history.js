// @ts-check
// The history: search the whole log, jump to an id or a time, export the results.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { toQuery } from '../client/history_search.js';
import { formatSize, plural } from '../state/format.js';
import { STATUSES, statusLabel } from '../state/labels.js';
import { fieldOf, formOf, scrollBox } from './components.js';
import { eventTable } from './feed_list.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */

/** @param {Page} page */
export function historyView(page) {
  const { state, search } = page;
  const newer = state.link.phase === 'recording' ? 0 : state.head - search.after;
  return html`${searchForms(page)}
    ${search.error
      ? html`<p class="notice" role="alert">
          ${icon('warning')}<span>${search.error}</span>
          <button @click=${() => search.loadOlder()}>Try again</button>
        </p>`
      : nothing}
    ${scrollBox('results', 'Search results, newest first', search.scroll, [
      newer > 0
        ? html`<p class="foot">
            <button ?disabled=${search.is_loading} @click=${() => loadNewer(page)}>
              ${icon('up')}Search ${plural(newer, 'newer event')}
            </button>
          </p>`
        : nothing,
      eventTable(page, search.rows, search.list, search.before !== null, search.mark),
      html`<p class="foot" role="status">${foot(page)}</p>`,
    ])}`;
}

/** @param {Page} page */
const restoreScroll = ({ search }) =>
  document.getElementById('results')?.scrollTo({ top: search.list.top });

/** Load newer results above the window, and keep the visible rows in place. @param {Page} page */
async function loadNewer(page) {
  await page.search.loadNewer();
  requestAnimationFrame(() => restoreScroll(page));
}

/** @param {Page} page */
function foot({ search }) {
  const { rows, before, error, is_loading, log } = search;
  if (error) return nothing;
  if (before === null) {
    const found = rows.length > 0 ? `${plural(rows.length, 'event')} in total.` : 'No event matches.';
    return log ? `${found} ${logUse(log)}` : found;
  }
  if (is_loading) return `Searching before event ${before}…`;
  return html`<button @click=${() => search.loadOlder()}>Search before event ${before}</button>`;
}

/** @param {NonNullable<Page['search']['log']>} log */
function logUse({ bytes, keep_bytes, dropped }) {
  const use = `The log uses ${formatSize(bytes)}${keep_bytes === null ? '' : ` of ${formatSize(keep_bytes)}`}.`;
  return dropped > 0 ? `${use} The host deleted its ${plural(dropped, 'oldest event')}.` : use;
}

/** @param {Page} page */
const searchForms = (page) =>
  html`<div class="search">
    ${searchForm(page)} ${jumpForm(page)}
    ${page.state.link.phase === 'recording'
      ? nothing
      : html`<a class="button" href="?open" title="Open a recording">${icon('page')}Open</a>
          <a class="button" download="courtside.ndjson" href="feed.ndjson?${toQuery(page.ui.filter)}">
            ${icon('down')}Export
          </a>`}
  </div>`;

/** @param {Page} page */
function searchForm({ ui, controls }) {
  const { filter } = ui;

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const form = new FormData(formOf(event));
    const text = (/** @type {string} */ name) => String(form.get(name) ?? '').trim();
    controls.setFilter({
      q: text('q'),
      status: text('status'),
      since: toIso(text('since')),
      until: toIso(text('until')),
    });
  }

  return html`<form role="search" @submit=${submit} @change=${submit}>
    <input
      type="search"
      name="q"
      id="search"
      aria-label="Text"
      placeholder="Search all messages"
      maxlength="200"
      .value=${filter.q}
    />
    <select name="status" aria-label="Status">
      <option value="">Any status</option>
      ${STATUSES.map(
        (name) =>
          html`<option value=${name} ?selected=${filter.status === name}>
            ${statusLabel(name).word}
          </option>`,
      )}
    </select>
    ${timeField('since', 'From', filter.since)} ${timeField('until', 'To', filter.until)}
    <button>Search</button>
  </form>`;
}

/** @param {Page} page */
function jumpForm(page) {
  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    await page.search.jump(fieldOf(formOf(event), 'to').value, page.now_ms);
    restoreScroll(page);
  }

  return html`<form @submit=${submit}>
    <input name="to" size="12" required aria-label="Jump to an id or a time" placeholder="Id or 14:05" />
    <button>Jump</button>
  </form>`;
}

/** @param {string} name @param {string} label @param {string} value */
const timeField = (name, label, value) =>
  html`<label>
    ${label}
    <input type="datetime-local" step="1" name=${name} .value=${toLocal(value)} />
  </label>`;

/** The field shows the browser's local time. @param {string} local */
const toIso = (local) => (local ? new Date(local).toISOString() : '');

/** @param {string} iso */
function toLocal(iso) {
  const at = new Date(iso);
  if (!iso || Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
