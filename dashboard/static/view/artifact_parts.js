// @ts-check
// Show the parts of artifacts: text, Markdown, JSON as a tree, images, links and files.
// lit-html escapes everything, and nothing is fetched.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { toFile, toImageUrl } from '../state/artifacts.js';
import { formatSize } from '../state/format.js';
import { isLink, looksLikeMarkdown, parseMarkdown } from '../state/markdown.js';
import { icon } from './icons.js';
/** @import { Part } from '../state/types.d.ts' */
/** @import { Block, Inline } from '../state/markdown.js' */

/** Drawing more than this is slow. The file has all of it. */
const MAX_TEXT = 60_000;
const MAX_MARKDOWN = 30_000;
const MAX_CHILDREN = 100;
const MAX_DEPTH = 12;
const MAX_LEAF = 2_000;

/** @param {Part} part @param {string} name of the artifact @param {boolean} is_source show Markdown as text */
export function partView(part, name, is_source) {
  const image = toImageUrl(part);
  const file = toFile(part, name);
  const size = part.text?.length ?? (part.raw ? (part.raw.length * 3) / 4 : null);
  return html`<div class="part">
    ${image ? html`<img src=${image} alt=${part.filename ?? name} @error=${hideTarget} />` : nothing}
    ${part.text === undefined ? nothing : textView(part.text, part.mediaType, is_source)}
    ${part.data === undefined ? nothing : jsonTree(part.data)}
    ${part.url === undefined ? nothing : linkView(part.url, part.filename)}
    ${file
      ? html`<button class="quiet save" title="Save ${file.name}" @click=${() => saveFile(file)}>
          ${icon('down')}${file.name}${size === null ? '' : ` · ${formatSize(size)}`}
        </button>`
      : nothing}
  </div>`;
}

/** @param {Event} event */
function hideTarget({ currentTarget }) {
  /** @type {HTMLElement} */ (currentTarget).hidden = true;
}

/** @param {Part} part */
export const isMarkdown = ({ text, mediaType = '' }) =>
  text !== undefined &&
  text.length <= MAX_MARKDOWN &&
  (mediaType.startsWith('text/markdown') || (mediaType === '' && looksLikeMarkdown(text)));

/** @param {string} text @param {string | undefined} mediaType @param {boolean} is_source */
function textView(text, mediaType, is_source) {
  if (!is_source && isMarkdown({ text, mediaType })) {
    return html`<div class="prose">${parseMarkdown(text).map(blockView)}</div>`;
  }
  const left = text.length - MAX_TEXT;
  return html`<p class="words">${text.slice(0, MAX_TEXT)}</p>
    ${left > 0 ? html`<p class="note">… and ${formatSize(left)} more. Save the file to read all.</p>` : nothing}`;
}

/** @param {Block} block @returns {unknown} */
function blockView(block) {
  switch (block.type) {
    case 'code':
      return html`<pre tabindex="0"><code>${block.text}</code></pre>`;
    case 'rule':
      return html`<hr />`;
    case 'quote':
      return html`<blockquote>${block.blocks.map(blockView)}</blockquote>`;
    case 'list': {
      const items = block.items.map((item) => html`<li>${item.map(blockView)}</li>`);
      return block.ordered ? html`<ol start=${block.start}>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    case 'table': {
      const cells = (/** @type {Inline[][]} */ row) => row.map((cell) => html`<td>${cell.map(inlineView)}</td>`);
      return html`<table>
        ${block.rows.map((row) => html`<tr>${cells(row)}</tr>`)}
      </table>`;
    }
    case 'heading':
      // Not h1 to h6: those are for the page's own outline.
      return html`<p class="heading">${block.inline.map(inlineView)}</p>`;
    default:
      return html`<p>${block.inline.map(inlineView)}</p>`;
  }
}

/** @param {Inline} inline */
function inlineView(inline) {
  switch (inline.type) {
    case 'code':
      return html`<code>${inline.text}</code>`;
    case 'strong':
      return html`<b>${inline.text}</b>`;
    case 'em':
      return html`<em>${inline.text}</em>`;
    case 'link':
      return linkView(inline.url, inline.text);
    default:
      return inline.text;
  }
}

/** The title shows the target, whatever the text says. @param {string} url @param {string} [text] */
const linkView = (url, text) =>
  isLink(url)
    ? html`<a href=${url} title=${url} target="_blank" rel="noopener noreferrer">${text || url}</a>`
    : html`<span class="words">${url}</span>`;

/**
 * Any JSON, as a tree whose branches can be opened.
 * @param {unknown} value @param {string} [name] @param {number} [depth] @returns {unknown}
 */
export function jsonTree(value, name, depth = 0) {
  const key = name === undefined ? nothing : html`<span class="key">${name}: </span>`;
  if (value === null || typeof value !== 'object' || depth > MAX_DEPTH) {
    const text = JSON.stringify(value) ?? 'null';
    return html`<div class="leaf" data-type=${typeof value}>${key}${text.slice(0, MAX_LEAF)}</div>`;
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

/** @param {{ name: string, content: BlobPart }} file */
function saveFile({ name, content }) {
  // Without its real type, so that a browser that opens it runs nothing.
  const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
