// @ts-check
// Owns the small parts that several views share: a status with its icon, an error in
// place, an age, and text made short enough for a row.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { isQuiet } from '../state/selectors.js';
import { ago, stopwatch, took } from '../state/format.js';
import { isOpen } from '../state/store.js';
import { icon } from './icons.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Task} Task
 */

/** Icon and word. @param {import('../state/labels.js').Label} label @param {string} tone */
export const status = (label, tone) =>
  html`<span class="status" data-tone=${tone}>${icon(label.icon)}${label.word}</span>`;

/** What the server said of a refused click, at the place of the click. @param {Page} page @param {string} key */
export function errorAt({ ui, controls }, key) {
  const message = ui.errors.get(key);
  if (!message) return nothing;
  return html`<p class="error" role="alert">
    <span>${message}</span>
    <button class="quiet" aria-label="Dismiss" @click=${() => controls.dismiss(key)}>
      ${icon('close')}
    </button>
  </p>`;
}

/** How long ago, with the full time on hover. @param {Page} page @param {string} iso */
export const age = ({ host_now_ms }, iso) =>
  html`<time datetime=${iso} title=${iso}>${ago(host_now_ms - Date.parse(iso))}</time>`;

/**
 * Open: how long so far. Finished: how long ago, and how long it took.
 * @param {Page} page @param {Task} task
 */
export function when({ host_now_ms }, task) {
  const { row, first } = task;
  let text = ago(host_now_ms - Date.parse(row.received_at));
  if (isQuiet(task, host_now_ms)) text = `quiet, last word ${text}`;
  else if (first && isOpen(row)) {
    text = stopwatch(host_now_ms - Date.parse(first.received_at));
  } else if (first) text += ` · ${took(duration(first, row))}`;
  return html`<time datetime=${row.received_at} title=${row.received_at}>${text}</time>`;
}

/**
 * By the agent's clock where it has one: what the host re-read it received all at once.
 * @param {Task['row']} first @param {Task['row']} last
 */
function duration(first, last) {
  const [from, to] =
    first.at && last.at ? [first.at, last.at] : [first.received_at, last.received_at];
  return Date.parse(to) - Date.parse(from);
}

/** Longer text costs layout time and shows nothing more. */
const MAX_CHARS = 400;

/** @param {string} text */
export const clip = (text) =>
  text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;

/**
 * What is asked for in it is done. One that was closed meanwhile, and perhaps opened anew
 * for something else, has nothing of that any more, and stays as it is.
 * @param {Element} inside
 */
export const closeMenu = (inside) =>
  /** @type {HTMLElement | null} */ (inside.closest('.menu'))?.hidePopover();

/** The same by hand. @param {Page} page @param {Record<string, string>} commands by what they do */
export const curls = ({ ui, controls }, commands) =>
  html`<details>
    <summary>As curl</summary>
    ${Object.entries(commands).map(
      ([name, command]) =>
        html`<div class="curl">
          <pre tabindex="0" aria-label=${name}><code>${command}</code></pre>
          ${navigator.clipboard
            ? html`<button type="button" @click=${() => controls.copy(command, command)}>
                ${icon('copy')}${ui.copied === command ? 'Copied' : name}
              </button>`
            : html`<span class="note">${name}</span>`}
        </div>`,
    )}
  </details>`;
