// @ts-check
// Owns what is particular to a recording: the place to open one, and the banner that says
// that nothing here is live.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { plural, rowTime } from '../state/format.js';
import { icon } from './icons.js';

/** @typedef {import('../page.js').Page} Page */

/** @param {Page} page */
const picker = ({ controls }) =>
  html`<label class="button picker">
    ${icon('page')}Open a file
    <input
      type="file"
      accept=".ndjson,.jsonl,.json"
      class="unseen"
      @change=${(/** @type {Event} */ event) =>
        controls.open(/** @type {HTMLInputElement} */ (event.currentTarget).files?.[0])}
    />
  </label>`;

/** @param {Page} page */
export const openScreen = (page) =>
  html`<section class="empty" aria-label="Open a recording">
    <h2>Open a saved feed</h2>
    <p>
      A file that History exported, or <code>feed.ndjson</code> of any host. It is read here
      and sent nowhere. Choose it, or drop it anywhere on this page.
    </p>
    ${picker(page)} ${failure(page)}
    <p class="or"><a href="./">Back to the live page</a></p>
  </section>`;

/** @param {Page} page */
const failure = ({ ui }) =>
  ui.errors.has('open') ? html`<div class="error" role="alert">${ui.errors.get('open')}</div>` : nothing;

/** @param {Page} page */
export function banner(page) {
  const { rows, epoch } = page.state;
  const [first, last] = [rows[0], rows[rows.length - 1]].map((row) =>
    rowTime(row.received_at, page.host_now_ms),
  );
  return html`<span class="link" data-tone="trouble">${icon('page')}Recording</span>
    <span class="recorded">
      ${epoch?.slice(10)} · ${plural(rows.length, 'event')}, ${first} – ${last}. Nothing here
      is live.
    </span>
    ${picker(page)} <a href="./">Back to the live page</a> ${failure(page)}`;
}
