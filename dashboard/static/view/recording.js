// @ts-check
// The screen that opens a recording, and the banner that marks one.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { formatRowTime, plural } from '../state/format.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */

/** @param {Page} page */
const filePicker = ({ controls }) =>
  html`<label class="button picker">
    ${icon('page')}Open a file
    <input
      type="file"
      accept=".ndjson,.jsonl,.json"
      class="unseen"
      @change=${(/** @type {Event} */ event) =>
        controls.openRecording(/** @type {HTMLInputElement} */ (event.currentTarget).files?.[0])}
    />
  </label>`;

/** @param {Page} page */
export const openScreen = (page) =>
  html`<section class="empty" aria-label="Open a recording">
    <h2>Open a recording</h2>
    <p>
      Choose a file that History exported, or <code>feed.ndjson</code> of any host. You can also
      drop it on this page. The file stays in this browser.
    </p>
    ${filePicker(page)} ${errorView(page)}
    <p class="or"><a href="./">Back to the live page</a></p>
  </section>`;

/** @param {Page} page */
const errorView = ({ ui }) =>
  ui.errors.has('open') ? html`<div class="error" role="alert">${ui.errors.get('open')}</div>` : nothing;

/** @param {Page} page */
export function recordingBanner(page) {
  const { rows, epoch } = page.state;
  const [first, last] = [rows[0], rows[rows.length - 1]].map((row) =>
    formatRowTime(row.received_at, page.host_now_ms),
  );
  const name = epoch?.slice('recording '.length);
  return html`<span class="link" data-tone="trouble">${icon('page')}Recording</span>
    <span class="recorded">${name} · ${plural(rows.length, 'event')}, ${first} – ${last}. Not live.</span>
    ${filePicker(page)} <a href="./">Back to the live page</a> ${errorView(page)}`;
}
