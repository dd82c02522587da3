// @ts-check
// Owns the reading of Markdown, the small part of it that agents write, into plain data:
// view/content.js draws it. Markup of any other kind stays the text that it is. Pure.

/**
 * @typedef {{ type: 'text' | 'code' | 'strong' | 'em', text: string }
 *   | { type: 'link', text: string, url: string }} Inline
 * @typedef {{ type: 'code', text: string }
 *   | { type: 'heading' | 'paragraph', inline: Inline[] }
 *   | { type: 'quote', blocks: Block[] }
 *   | { type: 'list', ordered: boolean, start: number, items: Block[][] }
 *   | { type: 'table', rows: Inline[][][] }
 *   | { type: 'rule' }} Block
 */

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^#{1,6}\s+(.*?)#*\s*$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^\s{0,3}>\s?/;
const ITEM = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const TABLE_LINE = /^\s*\|.*\|\s*$/;
const TABLE_RULE = /^\s*\|(\s*:?-+:?\s*\|)+\s*$/;
/** Deeper than this is nobody's outline. */
const MAX_DEPTH = 6;

// Nothing here looks past the next mark of its own kind: no text makes it slow.
const INLINE =
  /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|(?<!\w)_([^_]+)_(?!\w)|!?\[([^[\]]*)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"')\]]+)/g;

/** Whether a text without a type is worth being read as Markdown. @param {string} text */
export const looksLikeMarkdown = (text) =>
  /^\s*(```|#{1,6}\s|[-*+]\s|\d+[.)]\s|>\s|\|.*\|\s*$)|\*\*[^*\s][^*]*\*\*|\]\(https?:/m.test(text);

/** A link that a click may follow. @param {string} url */
export const isLink = (url) => /^https?:\/\/[^\s]+$/i.test(url);

/** @param {string} text @param {number} [depth] @returns {Block[]} */
export function readMarkdown(text, depth = 0) {
  const lines = text.split(/\r?\n/);
  /** @type {Block[]} */
  const blocks = [];
  let at = 0;

  /** Lines from here on for as long as they are wanted. @param {(line: string) => boolean} wants */
  function take(wants) {
    const from = at;
    while (at < lines.length && wants(lines[at])) at += 1;
    return lines.slice(from, at);
  }

  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (line.trim() === '') {
      at += 1;
    } else if (fence) {
      at += 1;
      const code = take((next) => !next.trim().startsWith(fence[1]));
      at += 1;
      blocks.push({ type: 'code', text: code.join('\n') });
    } else if (heading) {
      at += 1;
      blocks.push({ type: 'heading', inline: readInline(heading[1]) });
    } else if (RULE.test(line)) {
      at += 1;
      blocks.push({ type: 'rule' });
    } else if (QUOTE.test(line) && depth < MAX_DEPTH) {
      const inner = take((next) => QUOTE.test(next)).map((next) => next.replace(QUOTE, ''));
      blocks.push({ type: 'quote', blocks: readMarkdown(inner.join('\n'), depth + 1) });
    } else if (ITEM.test(line) && depth < MAX_DEPTH) {
      blocks.push(list(take, line, depth));
    } else if (TABLE_LINE.test(line) && TABLE_RULE.test(lines[at + 1] ?? '')) {
      const rows = take((next) => TABLE_LINE.test(next)).filter((_, row) => row !== 1);
      blocks.push({ type: 'table', rows: rows.map(cells) });
    } else {
      at += 1;
      const more = take((next) => next.trim() !== '' && !begins(next));
      blocks.push({ type: 'paragraph', inline: readInline([line, ...more].join('\n')) });
    }
  }
  return blocks;
}

/** @param {string} line */
const begins = (line) =>
  [FENCE, HEADING, RULE, QUOTE, ITEM].some((mark) => mark.test(line));

/**
 * @param {(wants: (line: string) => boolean) => string[]} take
 * @param {string} first @param {number} depth @returns {Block}
 */
function list(take, first, depth) {
  const [, { length }, number] = /** @type {RegExpExecArray} */ (ITEM.exec(first));
  const ordered = number !== undefined;
  /** @type {string[][]} */
  const items = [];
  take((line) => {
    const item = ITEM.exec(line);
    if (item && item[1].length <= length && (item[2] !== undefined) === ordered) {
      items.push([item[3]]);
    } else if (items.length > 0 && /^\s{2,}\S/.test(line) && line.search(/\S/) > length) {
      items[items.length - 1].push(line.slice(Math.min(line.search(/\S/), length + 2)));
    } else return false;
    return true;
  });
  return {
    type: 'list',
    ordered,
    start: ordered ? Number(number) : 1,
    items: items.map((item) => readMarkdown(item.join('\n'), depth + 1)),
  };
}

/** @param {string} line */
const cells = (line) =>
  line
    .trim()
    .slice(1, -1)
    .split('|')
    .map((cell) => readInline(cell.trim()));

/** @param {string} text @returns {Inline[]} */
export function readInline(text) {
  /** @type {Inline[]} */
  const found = [];
  let done = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, code, strong, em, under, label, target, bare] = match;
    if (match.index > done) found.push({ type: 'text', text: text.slice(done, match.index) });
    done = match.index + all.length;
    const url = target ?? bare;
    if (code !== undefined) found.push({ type: 'code', text: code });
    else if (strong !== undefined) found.push({ type: 'strong', text: strong });
    else if (em !== undefined || under !== undefined) found.push({ type: 'em', text: em ?? under });
    else if (isLink(url)) found.push({ type: 'link', text: label || url, url });
    else found.push({ type: 'text', text: all });
  }
  if (done < text.length) found.push({ type: 'text', text: text.slice(done) });
  return found;
}
