// @ts-check
// Owns the history: a search of the whole log with its results in pages, a jump to an id
// or a time, what was found as a file. past.js asks the host.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { plural } from '../state/format.js';
import { queryOf } from '../client/history_search.js';
import { STATUSES, statusLabel } from '../state/labels.js';
import { eventTable } from './feed_list.js';
import { icon } from './icons.js';

/** @typedef {import('../page.js').Page} Page */

/** @param {Page} page */
export function history(page) {
  const { state, past } = page;
  const newer = state.link.phase === 'recording' ? 0 : state.head - past.after;
  return html`${form(page)}
    ${past.error
      ? html`<p class="notice" role="alert">${icon('warning')}<span>${past.error}</span>
          <button @click=${past.older}>Try again</button></p>`
      : nothing}
    <div
      class="list"
      id="past"
      tabindex="0"
      role="group"
      aria-label="Found events, newest first"
      @scroll=${{
        handleEvent: (/** @type {Event} */ event) =>
          past.scrolled(/** @type {HTMLElement} */ (event.currentTarget).scrollTop),
        passive: true,
      }}
    >
      ${newer > 0
        ? html`<p class="foot">
            <button ?disabled=${past.loading === 'loading'} @click=${() => later(past)}>
              ${icon('up')}Look in ${plural(newer, 'newer event')}
            </button>
          </p>`
        : nothing}
      ${eventTable(page, past.rows, past.list, past.before !== null, past.mark)}
      <p class="foot" role="status">${foot(page)}</p>
    </div>`;
}

/** What was being read stays in its place. @param {import('../client/history_search.js').Past} past */
async function later(past) {
  await past.newer();
  requestAnimationFrame(() => {
    document.getElementById('past')?.scrollTo({ top: past.list.top });
  });
}

/** @param {Page} page */
function foot({ past }) {
  const found = plural(past.rows.length, 'event');
  if (past.error) return nothing;
  if (past.before === null) return past.rows.length > 0 ? `${found}. That is all.` : 'Nothing matches.';
  if (past.loading === 'loading') return `Searching below event ${past.before}…`;
  return html`<button @click=${past.older}>Search on below event ${past.before}</button>`;
}

/** @param {Page} page */
function form({ state, ui, controls, past, now_ms }) {
  const { filter } = ui;
  const recording = state.link.phase === 'recording';

  /** @param {Event} event */
  function search(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = new FormData(form);
    const text = (/** @type {string} */ name) => String(given.get(name) ?? '').trim();
    controls.search({
      q: text('q'),
      status: text('status'),
      since: toIso(text('since')),
      until: toIso(text('until')),
    });
  }

  /** @param {SubmitEvent} event */
  async function jump(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('to'));
    await past.jump(field.value, now_ms);
    document.getElementById('past')?.scrollTo({ top: past.list.top });
  }

  return html`<div class="search">
    <form role="search" @submit=${search} @change=${search}>
      <input
        type="search"
        name="q"
        id="search"
        aria-label="Text"
        placeholder="Search all that was said"
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
    </form>
    <form @submit=${jump}>
      <input name="to" size="12" required aria-label="Jump to an id or a time" placeholder="Id or 14:05" />
      <button>Jump</button>
    </form>
    ${recording
      ? nothing
      : html`<a class="button" href="?open">${icon('page')}Open</a>
          <a class="button" download="courtside.ndjson" href="feed.ndjson?${queryOf(filter)}">
          ${icon('down')}Export
        </a>`}
  </div>`;
}

/** @param {string} name @param {string} label @param {string} value */
const timeField = (name, label, value) =>
  html`<label>
    ${label}
    <input type="datetime-local" step="1" name=${name} .value=${toLocal(value)} />
  </label>`;

/** The field has no zone: what it shows is the browser's time. @param {string} local */
const toIso = (local) => (local ? new Date(local).toISOString() : '');

/** @param {string} iso */
function toLocal(iso) {
  const at = new Date(iso);
  if (!iso || Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
