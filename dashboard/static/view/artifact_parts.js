// @ts-check
// Owns how what agents have made is shown: text, Markdown, JSON as a tree, pictures,
// links, files. All of it goes through lit's escaping; nothing is fetched.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { fileOf, pictureOf } from '../state/artifacts.js';
import { isLink, looksLikeMarkdown, readMarkdown } from '../state/markdown.js';
import { icon } from './icons.js';

/**
 * @typedef {import('../state/types.d.ts').Part} Part
 * @typedef {import('../state/markdown.js').Block} Block
 * @typedef {import('../state/markdown.js').Inline} Inline
 */

/** Beyond this, drawing is slower than anyone reads: the file has it all. */
const MAX_TEXT = 60_000;
const MAX_MARKDOWN = 30_000;
const MAX_CHILDREN = 100;
const MAX_DEPTH = 12;

/** @param {Part} part @param {string} name of the artifact @param {boolean} asWritten */
export function partView(part, name, asWritten) {
  const picture = pictureOf(part);
  const file = fileOf(part, name);
  const size = part.text?.length ?? (part.raw ? (part.raw.length * 3) / 4 : null);
  return html`<div class="part">
    ${picture ? html`<img
          src=${picture}
          alt=${part.filename ?? name}
          @error=${(/** @type {Event} */ { currentTarget }) => {
            /** @type {HTMLElement} */ (currentTarget).hidden = true;
          }}
        />` : nothing}
    ${part.text === undefined ? nothing : textView(part.text, part.mediaType, asWritten)}
    ${part.data === undefined ? nothing : jsonTree(part.data)}
    ${part.url === undefined ? nothing : link(part.url, part.filename)}
    ${file
      ? html`<button class="quiet save" title="Save ${file.name}" @click=${() => save(file)}>
          ${icon('down')}${file.name}${size === null ? '' : ` · ${sizeOf(size)}`}
        </button>`
      : nothing}
  </div>`;
}

/** Whether a part looks otherwise as it was written. @param {Part} part */
export const isMarkdown = ({ text, mediaType = '' }) =>
  text !== undefined &&
  text.length <= MAX_MARKDOWN &&
  (mediaType.startsWith('text/markdown') || (mediaType === '' && looksLikeMarkdown(text)));

/** @param {string} text @param {string | undefined} mediaType @param {boolean} asWritten */
function textView(text, mediaType, asWritten) {
  if (!asWritten && isMarkdown({ text, mediaType })) {
    return html`<div class="prose">${readMarkdown(text).map(block)}</div>`;
  }
  const left = text.length - MAX_TEXT;
  return html`<p class="words">${text.slice(0, MAX_TEXT)}</p>
    ${left > 0 ? html`<p class="note">… and ${sizeOf(left)} more: save the file.</p>` : nothing}`;
}

/** @param {Block} it @returns {unknown} */
function block(it) {
  switch (it.type) {
    case 'code':
      return html`<pre tabindex="0"><code>${it.text}</code></pre>`;
    case 'rule':
      return html`<hr />`;
    case 'quote':
      return html`<blockquote>${it.blocks.map(block)}</blockquote>`;
    case 'list': {
      const items = it.items.map((item) => html`<li>${item.map(block)}</li>`);
      return it.ordered ? html`<ol start=${it.start}>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    case 'table':
      return html`<table>
        ${it.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell.map(inline)}</td>`)}</tr>`)}
      </table>`;
    case 'heading':
      // Not h1 to h6: an agent's headings are not the page's.
      return html`<p class="heading">${it.inline.map(inline)}</p>`;
    default:
      return html`<p>${it.inline.map(inline)}</p>`;
  }
}

/** @param {Inline} it */
function inline(it) {
  switch (it.type) {
    case 'code':
      return html`<code>${it.text}</code>`;
    case 'strong':
      return html`<b>${it.text}</b>`;
    case 'em':
      return html`<em>${it.text}</em>`;
    case 'link':
      return link(it.url, it.text);
    default:
      return it.text;
  }
}

/** Where it leads is said, whatever it is called. @param {string} url @param {string} [text] */
const link = (url, text) =>
  isLink(url)
    ? html`<a href=${url} title=${url} target="_blank" rel="noopener noreferrer">${text || url}</a>`
    : html`<span class="words">${url}</span>`;

/**
 * Any JSON, its branches to be opened.
 * @param {unknown} value @param {string} [name] @param {number} [depth] @returns {unknown}
 */
export function jsonTree(value, name, depth = 0) {
  const key = name === undefined ? nothing : html`<span class="key">${name}: </span>`;
  if (value === null || typeof value !== 'object' || depth > MAX_DEPTH) {
    const text = JSON.stringify(value) ?? 'null';
    return html`<div class="leaf" data-type=${typeof value}>${key}${text.slice(0, 2_000)}</div>`;
  }
  const entries = Object.entries(value);
  const left = entries.length - MAX_CHILDREN;
  const count = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return html`<details class="tree" ?open=${depth < 2 && entries.length <= 20}>
    <summary>${key}<span class="note">${count}</span></summary>
    ${entries.slice(0, MAX_CHILDREN).map(([inner, each]) => jsonTree(each, inner, depth + 1))}
    ${left > 0 ? html`<div class="note">… and ${left} more</div>` : nothing}
  </details>`;
}

/** @param {number} bytes */
const sizeOf = (bytes) =>
  bytes < 1_000 ? `${Math.round(bytes)} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** @param {{ name: string, content: BlobPart }} file */
function save({ name, content }) {
  // Of no type: a browser that opens it must not run it.
  const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
